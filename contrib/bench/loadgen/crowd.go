package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const atOnce = 32 // handshakes

func idle() {
	told := bufio.NewReader(os.Stdin)
	var lost atomic.Int64
	opened := 0
	for _, word := range strings.Split(*steps, ",") {
		want, err := strconv.Atoi(word)
		die(err)
		places := make(chan struct{}, atOnce)
		var done sync.WaitGroup
		var errors atomic.Int64
		begin := now()
		for ; opened < want; opened++ {
			places <- struct{}{}
			done.Add(1)
			client := 1 + opened
			go func() {
				defer func() { <-places; done.Done() }()
				if !stay(client, &lost) {
					errors.Add(1)
				}
			}()
		}
		done.Wait()
		r := begin.since(0, 0).with(nil, errors.Load())
		r["tunnels"], r["lost"] = want, lost.Load()
		say(r)
		told.ReadString('\n')
	}
}

// stay opens one idle tunnel, reads its burst, and from then on whatever comes.
func stay(client int, lost *atomic.Int64) bool {
	t, err := upgrade(client, "idle")
	if err != nil {
		return false
	}
	buf := make([]byte, 2048)
	for left := *burst; left > 0; {
		k, err := t.b.Read(buf)
		left -= k
		if err != nil {
			return false
		}
	}
	go func() {
		small := make([]byte, 64)
		for {
			if _, err := t.b.Read(small); err != nil {
				lost.Add(1)
				t.c.Close()
				return
			}
		}
	}()
	return true
}

func herd() {
	var failed, firstCut atomic.Int64
	back := make(chan int64, *tunnels)
	places := make(chan struct{}, atOnce)
	var opened sync.WaitGroup
	opened.Add(*tunnels)
	start := time.Now()
	for i := range *tunnels {
		go func() {
			places <- struct{}{}
			t, err := upgrade(1+i, "echo")
			<-places
			die(err)
			opened.Done()
			t.b.ReadByte() // until it is cut
			t.c.Close()
			firstCut.CompareAndSwap(0, int64(time.Since(start)))
			for time.Since(start) < 2**patience {
				if t, err = upgrade(1+i, "echo"); err == nil {
					break
				}
				failed.Add(1)
				time.Sleep(250 * time.Millisecond)
			}
			if err == nil {
				back <- int64(time.Since(start))
				time.Sleep(*patience)
				t.c.Close()
			}
		}()
	}
	opened.Wait()
	say(result{"ready": *tunnels})
	bufio.NewReader(os.Stdin).ReadString('\n') // the upstream is killed now
	begin := now()
	var times []int64
	late := time.After(*patience)
	for waiting := true; waiting && len(times) < *tunnels; {
		select {
		case at := <-back:
			times = append(times, at)
		case <-late:
			waiting = false
		}
	}
	r := begin.since(0, 0)
	for i := range times {
		times[i] -= firstCut.Load()
	}
	r["back"], r["failed"] = len(times), failed.Load()
	say(r.with(times, int64(*tunnels-len(times))))
}
