package main

import (
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// cpuOf is the processor time of a process, user and system, from its own clock; 0 when it is gone.
func cpuOf(pid int) float64 {
	clock := int32(^pid)<<3 | 2
	var ts syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&ts)), 0)
	return float64(ts.Sec) + float64(ts.Nsec)/1e9
}

func frontCPU() (sum float64) {
	for _, word := range strings.Split(*pids, ",") {
		if pid, err := strconv.Atoi(word); err == nil {
			sum += cpuOf(pid)
		}
	}
	return
}

type moment struct {
	at  time.Time
	cpu float64
}

func now() moment { return moment{time.Now(), frontCPU()} }

// since says what passed; `idleTail` seconds at the end were only waited, and belong to no rate.
func (begin moment) since(units float64, idleTail float64) result {
	end := now()
	wall, cpu := end.at.Sub(begin.at).Seconds()-idleTail, end.cpu-begin.cpu
	r := result{"wall_s": wall, "cpu_s": cpu}
	if units > 0 {
		r["units"], r["per_s"], r["cpu_us"] = units, units/wall, cpu/units*1e6
	}
	return r
}

// with adds percentiles of latencies in nanoseconds.
func (r result) with(latencies []int64, errors int64) result {
	r["errors"] = errors
	if len(latencies) == 0 {
		return r
	}
	sort.Slice(latencies, func(i, j int) bool { return latencies[i] < latencies[j] })
	at := func(part float64) float64 { return float64(latencies[int(part*float64(len(latencies)-1))]) / 1e3 }
	r["p50_us"], r["p99_us"], r["p999_us"], r["max_us"] = at(.5), at(.99), at(.999), at(1)
	return r
}

func flat(lists [][]int64) (all []int64) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return
}
