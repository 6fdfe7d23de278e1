package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const keyAnswer = `{"legacyPublicKey":"mkey:0000000000000000000000000000000000000000000000000000000000000000","publicKey":"mkey:1111111111111111111111111111111111111111111111111111111111111111"}`

// routes is no ServeMux: that one answers odd paths by itself, and here every path must be seen as it came.
func routes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/key":
			if journal.on {
				note(r)
			}
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, keyAnswer)
		case "/health":
			io.WriteString(w, `{"status":"pass"}`)
		case "/ts2021", "/derp":
			tunnel(w, r)
		case "/bench/journal":
			tell(w, r)
		default:
			answer(w, r)
		}
	})
}

func number(q url.Values, name string, otherwise int) int {
	if found, err := strconv.Atoi(q.Get(name)); err == nil {
		return found
	}
	return otherwise
}

// answer does what ?mode= says: "report" (what was asked, the default), "say" a text, "pieces" of it, "raw" bytes from the table below.
func answer(w http.ResponseWriter, r *http.Request) {
	e := note(r)
	q := r.URL.Query()
	switch q.Get("mode") {
	case "say":
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, q.Get("text"))
	case "pieces":
		for _, b := range []byte(q.Get("text")) {
			w.Write([]byte{b})
			w.(http.Flusher).Flush()
		}
	case "large":
		total := number(q, "total", 1<<20)
		w.Header().Set("Content-Length", strconv.Itoa(total))
		io.CopyN(w, pattern{}, int64(total))
	case "status":
		w.WriteHeader(number(q, "status", 200))
	case "raw":
		raw(w, e, q.Get("what"))
	default:
		e.readBody(r)
		w.Header().Set("Content-Type", "application/json")
		journal.Lock()
		defer journal.Unlock()
		json.NewEncoder(w).Encode(e)
	}
}

type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

const ok5 = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"

// Answers that no handler of net/http would give. "|" is a pause; "$" at the end closes the connection, else it stays open.
var rawAnswers = map[string]string{
	"nothing":            "$",
	"early":              ok5 + "early",
	"garbage":            "\x00\x01\x02 this is not HTTP\r\n\r\n$",
	"half-head":          "HTTP/1.1 200 OK\r\nContent-Le$",
	"short-body":         "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort$",
	"two-answers":        ok5 + "first" + ok5 + "other",
	"late-second-answer": ok5 + "first|" + ok5 + "other",
	"longer-body":        ok5 + "first and more than was announced",
	"unasked-100":        "HTTP/1.1 100 Continue\r\n\r\n" + ok5 + "first$",
	"hints":              "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok5 + "first$",
	"unasked-101":        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: DERP\r\n\r\nraw bytes",
	"length-and-chunks":  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n$",
	"two-lengths":        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nfirst$",
	"odd-chunk-size":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nfirst\r\n0\r\n\r\n$",
	"odd-chunk-end":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirstXX0\r\n\r\n$",
	"cut-chunks":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n5\r\nse$",
	"until-close":        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nfirst| second$",
	"folded":             "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 5\r\n\r\nfirst$",
	"hop-by-hop":         "HTTP/1.1 200 OK\r\nConnection: X-Secret\r\nX-Secret: yes\r\nServer: upstream\r\nContent-Length: 5\r\n\r\nfirst$",
}

func raw(w http.ResponseWriter, e *entry, what string) {
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	text, closes := strings.CutSuffix(rawAnswers[what], "$")
	for i, part := range strings.Split(text, "|") {
		if i > 0 {
			time.Sleep(200 * time.Millisecond)
		}
		io.WriteString(c, part)
	}
	if closes {
		return
	}
	buf := make([]byte, 4096)
	for {
		n, err := rw.Read(buf)
		e.followed(buf[:n])
		if err != nil {
			return
		}
	}
}
