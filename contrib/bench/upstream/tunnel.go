package main

import (
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// tunnel answers 101, then does what ?mode= says:
//
//	echo     every byte back (the default)
//	source   waits for one byte, then sends ?total bytes in writes of ?msg
//	sink     reads ?total bytes, then sends one byte
//	idle     first sends ?burst bytes (the map response), then 60 bytes every ?period seconds, phase random; discards input
//	peek     waits before its 101 and then says how many bytes had come before it, then echoes
//	decline  no 101 but 403 with a body
func tunnel(w http.ResponseWriter, r *http.Request) {
	if journal.on {
		note(r)
	}
	protocol := r.Header.Get("Upgrade")
	q := r.URL.Query()
	if protocol == "" || !strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") || q.Get("mode") == "decline" {
		http.Error(w, "no tunnel", http.StatusForbidden)
		return
	}
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	c.SetDeadline(time.Time{})
	var early []byte
	if q.Get("mode") == "peek" {
		early = peek(c, rw)
	}
	switching := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + protocol + "\r\nConnection: upgrade\r\n\r\n"
	if _, err = io.WriteString(c, switching); err != nil {
		return
	}
	var in io.Reader = c
	if rw.Reader.Buffered() > 0 {
		in = rw.Reader
	}
	switch q.Get("mode") {
	case "source":
		source(c, in, q)
	case "sink":
		sink(c, in, q)
	case "idle":
		idle(c, in, q)
	case "peek":
		fmt.Fprintf(c, "before=%d\n", len(early))
		echo(c, in)
	default:
		echo(c, in)
	}
}

// peek returns what the front sends within 200 ms, before it was told that it may.
func peek(c net.Conn, in io.Reader) []byte {
	buf := make([]byte, 65536)
	c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	n, _ := in.Read(buf)
	c.SetReadDeadline(time.Time{})
	return buf[:n]
}

func echo(c net.Conn, in io.Reader) {
	buf := make([]byte, 65536)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			if _, e := c.Write(buf[:n]); e != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func source(c net.Conn, in io.Reader, q url.Values) {
	one := make([]byte, 1)
	if _, err := io.ReadFull(in, one); err != nil {
		return
	}
	total, buf := number(q, "total", 1<<20), make([]byte, number(q, "msg", 65536))
	for total > 0 {
		n, err := c.Write(buf[:min(len(buf), total)])
		if err != nil {
			return
		}
		total -= n
	}
	io.ReadFull(in, one)
}

func sink(c net.Conn, in io.Reader, q url.Values) {
	buf := make([]byte, 65536)
	for total := number(q, "total", 1<<20); total > 0; {
		n, err := in.Read(buf)
		total -= n
		if err != nil {
			return
		}
	}
	c.Write([]byte{1})
	in.Read(buf)
}

func idle(c net.Conn, in io.Reader, q url.Values) {
	go func() {
		b := make([]byte, 512)
		for {
			if _, err := in.Read(b); err != nil {
				c.Close()
				return
			}
		}
	}()
	for n := number(q, "burst", 0); n > 0; {
		k, err := c.Write(make([]byte, min(n, 65536)))
		if err != nil {
			return
		}
		n -= k
	}
	period := time.Duration(number(q, "period", 60)) * time.Second
	time.Sleep(time.Duration(rand.Int63n(int64(period))))
	message := make([]byte, 60)
	for {
		if _, err := c.Write(message); err != nil {
			return
		}
		time.Sleep(period)
	}
}
