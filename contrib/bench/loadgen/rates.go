package main

import (
	"bufio"
	"sync"
	"sync/atomic"
	"time"
)

const (
	warming = iota
	measuring
	over
)

func get() {
	request := []byte("GET /key?v=138 HTTP/1.1\r\nHost: " + *host + "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	latencies := make([][]int64, *conns)
	var phase atomic.Int32
	var errors atomic.Int64
	var ready, done sync.WaitGroup
	for i := range latencies {
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			c, err := dial(0)
			ready.Done()
			for err == nil {
				b := bufio.NewReader(c)
				for err == nil && phase.Load() != over {
					counts := phase.Load() == measuring
					began := time.Now()
					if err = ask(c, b, request); err == nil && counts {
						latencies[i] = append(latencies[i], int64(time.Since(began)))
					}
				}
				c.Close()
				if phase.Load() == over {
					return
				}
				errors.Add(1)
				c, err = dial(0)
			}
			errors.Add(1)
		}()
	}
	ready.Wait()
	time.Sleep(*warm)
	begin := now()
	phase.Store(measuring)
	time.Sleep(*dur)
	phase.Store(over)
	end := now()
	done.Wait()
	all := flat(latencies)
	wall, cpu, units := end.at.Sub(begin.at).Seconds(), end.cpu-begin.cpu, float64(len(all))
	say(result{"wall_s": wall, "cpu_s": cpu, "units": units, "per_s": units / wall, "cpu_us": cpu / units * 1e6}.with(all, errors.Load()))
}

// repeat does something -n times from -conns goroutines, and times it.
func repeat(once func() error) {
	for range 50 {
		die(once())
	}
	latencies := make([][]int64, *conns)
	var errors atomic.Int64
	var left atomic.Int64
	left.Store(int64(*n))
	var done sync.WaitGroup
	begin := now()
	for i := range latencies {
		done.Add(1)
		go func() {
			defer done.Done()
			for left.Add(-1) >= 0 {
				began := time.Now()
				if once() != nil {
					errors.Add(1)
				} else {
					latencies[i] = append(latencies[i], int64(time.Since(began)))
				}
			}
		}()
	}
	done.Wait()
	const tail = 50 * time.Millisecond // the front tears down what we have left
	time.Sleep(tail)
	all := flat(latencies)
	say(begin.since(float64(len(all)), tail.Seconds()).with(all, errors.Load()))
}

func handshake() {
	repeat(func() error {
		c, err := dial(0)
		if err == nil {
			c.Close()
		}
		return err
	})
}

func openTunnels() {
	repeat(func() error {
		t, err := upgrade(0, "echo")
		if err == nil {
			t.c.Close()
		}
		return err
	})
}
