// goproxy is what a Go program would put before headscale: net/http's server, httputil.ReverseProxy, an allowlist and an access log.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

// counted remembers what the log line says of an answer.
type counted struct {
	http.ResponseWriter
	status int
	bytes  int
}

func (c *counted) WriteHeader(status int) { c.status = status; c.ResponseWriter.WriteHeader(status) }

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController find Flush and Hijack.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func main() {
	addr := flag.String("addr", "", "where it listens")
	upstream := flag.String("upstream", "", "URL")
	cert := flag.String("cert", "", "")
	key := flag.String("key", "", "")
	access := flag.String("log", "", "the access log")
	flag.Parse()
	target, err := url.Parse(*upstream)
	if err != nil {
		log.Fatal(err)
	}
	lines, err := os.OpenFile(*access, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	proxy.Transport = &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, IdleConnTimeout: 24 * time.Second, DisableCompression: true}
	allowed := map[string]bool{"/key": true, "/ts2021": true, "/derp": true}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		answer := &counted{ResponseWriter: w, status: 200}
		defer func() {
			fmt.Fprintf(lines, "%s - - [%s] \"%s %s %s\" %d %d \"%s\" %.3f\n", r.RemoteAddr, began.Format(time.RFC3339), r.Method,
				r.RequestURI, r.Proto, answer.status, answer.bytes, r.UserAgent(), time.Since(began).Seconds())
		}()
		if !allowed[r.URL.Path] {
			http.NotFound(answer, r)
			return
		}
		proxy.ServeHTTP(answer, r)
	})
	server := &http.Server{
		Addr:      *addr,
		Handler:   handler,
		ErrorLog:  log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	log.Fatal(server.ListenAndServeTLS(*cert, *key))
}
