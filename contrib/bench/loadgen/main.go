// loadgen is the one load generator for every measurement; it prints one JSON object a line.
//
//	loadgen get        -conns C -dur D            keep-alive GETs: rate, latency, CPU per request
//	loadgen handshake  -conns C -n N              new TLS connections, each closed again: rate, CPU per handshake
//	loadgen open       -conns C -n N              TCP + TLS + upgrade to 101: latency, CPU per tunnel
//	loadgen stream     -tunnels T -total B -msg M -dir down|up     bytes through tunnels: rate, CPU per GiB
//	loadgen trips      -tunnels T -n N -msg M     echo round trips: latency, CPU per trip
//	loadgen idle       -steps 1000,5000 -burst B  opens tunnels up to each step, waits for a line on stdin
//	loadgen herd       -tunnels T                 opens T tunnels, then times their return after all were cut
//
// -pids are the processes of the front, whose CPU clocks are read around the measured part only. idle and herd come from 127.0.0.2 to
// 127.0.0.21 in turn. X25519 alone is offered, so that every front makes the same key exchange, whatever its TLS library is able to.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"
)

var (
	addr     = flag.String("addr", "", "the front's address")
	host     = flag.String("host", "", "the name in SNI and Host")
	pids     = flag.String("pids", "", "the front's processes")
	conns    = flag.Int("conns", 1, "connections at a time")
	n        = flag.Int("n", 1000, "how many in all")
	dur      = flag.Duration("dur", 3*time.Second, "get: how long it is measured")
	warm     = flag.Duration("warm", 500*time.Millisecond, "get: how long it goes on before")
	tunnels  = flag.Int("tunnels", 1, "tunnels at a time")
	total    = flag.Int64("total", 1<<28, "bytes per tunnel")
	msg      = flag.Int("msg", 65536, "bytes per write")
	dir      = flag.String("dir", "down", "down or up")
	steps    = flag.String("steps", "1000", "tunnels that are open after each step")
	burst    = flag.Int("burst", 0, "bytes that the upstream sends first on every idle tunnel")
	period   = flag.Int("period", 60, "seconds between the 60-byte messages of an idle tunnel")
	patience = flag.Duration("patience", 60*time.Second, "herd: how long the return may take")
)

type result map[string]any

func say(r result) { b, _ := json.Marshal(r); fmt.Println(string(b)) }

func die(err error) {
	if err != nil {
		fmt.Println(`{"error":` + strconv.Quote(err.Error()) + `}`)
		os.Exit(1)
	}
}

func main() {
	commands := map[string]func(){
		"get": get, "handshake": handshake, "open": openTunnels, "stream": stream, "trips": trips, "idle": idle, "herd": herd,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "see the comment at the top of main.go")
		os.Exit(2)
	}
	die(flag.CommandLine.Parse(os.Args[2:]))
	shared = config()
	commands[os.Args[1]]()
}
