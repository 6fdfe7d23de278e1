package main

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

func stream() {
	mode, move := "source", receive
	if *dir == "up" {
		mode, move = "sink", send
	}
	all := several(*tunnels, mode)
	var errors atomic.Int64
	var done sync.WaitGroup
	begin := now()
	for _, t := range all {
		done.Add(1)
		go func() {
			defer done.Done()
			if move(t) != nil {
				errors.Add(1)
			}
		}()
	}
	done.Wait()
	gib := float64(*total) * float64(*tunnels) / (1 << 30)
	r := begin.since(0, 0)
	r["units"], r["cpu_s_per_gib"], r["mib_per_s"] = gib, r["cpu_s"].(float64)/gib, gib*1024/r["wall_s"].(float64)
	say(r.with(nil, errors.Load()))
}

func receive(t tunnel) error {
	buf := make([]byte, 65536)
	if _, err := t.c.Write(buf[:1]); err != nil {
		return err
	}
	for left := *total; left > 0; {
		k, err := t.b.Read(buf)
		left -= int64(k)
		if err != nil {
			return err
		}
	}
	return nil
}

func send(t tunnel) error {
	buf := make([]byte, *msg)
	for left := *total; left > 0; left -= int64(len(buf)) {
		if _, err := t.c.Write(buf[:min(int64(len(buf)), left)]); err != nil {
			return err
		}
	}
	_, err := t.b.ReadByte()
	return err
}

func trips() {
	all := several(*tunnels, "echo")
	latencies := make([][]int64, len(all))
	var errors atomic.Int64
	run := func(each int, keep bool) {
		var done sync.WaitGroup
		for i, t := range all {
			done.Add(1)
			go func() {
				defer done.Done()
				buf := make([]byte, *msg)
				for range each {
					began := time.Now()
					_, err := t.c.Write(buf)
					if err == nil {
						_, err = io.ReadFull(t.b, buf)
					}
					if err != nil {
						errors.Add(1)
						return
					}
					if keep {
						latencies[i] = append(latencies[i], int64(time.Since(began)))
					}
				}
			}()
		}
		done.Wait()
	}
	each := *n / len(all)
	run(each/10+1, false)
	begin := now()
	run(each, true)
	times := flat(latencies)
	say(begin.since(float64(len(times)), 0).with(times, errors.Load()))
}
