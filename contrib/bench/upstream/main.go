// upstream stands in for headscale behind a front: small answers, tunnels of several kinds, and answers that no server should give.
//
//	upstream -addr HOST:PORT [-tls HOST:PORT -cert FILE -key FILE]   by itself
//	upstream -config headscale.yaml                                  as the headscale that hsadmin runs: its two listeners, its log lines
//
// With -journal it remembers what reached it, for GET /bench/journal on its own port; a front never lets that path through.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const listensOn = `{"level":"info","message":"listening and serving HTTP on: %s"}` + "\n"
const lastOfStart = `{"level":"info","message":"metrics server disabled (metrics_listen_addr is empty)"}` + "\n"

func main() {
	addr := flag.String("addr", "", "where it listens")
	tlsAddr := flag.String("tls", "", "also serve TLS here, to be measured without a front")
	cert := flag.String("cert", "", "certificate of -tls")
	key := flag.String("key", "", "key of -tls")
	config := flag.String("config", "", "headscale.yaml")
	remember := flag.Bool("journal", false, "remember requests")
	flag.Parse()
	journal.on = *remember
	handler := routes()
	if *config != "" {
		settings, err := topLevel(*config)
		die(err)
		*addr = settings["listen_addr"]
		die(serveGrpc(settings["unix_socket"]))
		defer os.Remove(settings["unix_socket"])
	}
	listener, err := net.Listen("tcp", *addr)
	die(err)
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { die(server.Serve(listener)) }()
	if *tlsAddr != "" {
		direct := &http.Server{Addr: *tlsAddr, Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
		go func() { die(direct.ListenAndServeTLS(*cert, *key)) }()
	}
	fmt.Printf(listensOn+lastOfStart, *addr)
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	<-told
}

// topLevel reads the plain top-level keys of a YAML file, which is all that is needed of headscale.yaml.
func topLevel(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	found := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, colon := strings.Cut(lines.Text(), ":")
		if colon && name != "" && !strings.ContainsAny(name[:1], " #-") {
			found[name] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	if found["listen_addr"] == "" || found["unix_socket"] == "" {
		return nil, errors.New(path + " has no listen_addr or unix_socket")
	}
	return found, lines.Err()
}

func die(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error: headscale ran into an error and had to shut down:", err)
		os.Exit(1)
	}
}
