package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const patient = 30 * time.Second

var errOdd = errors.New("not the answer that was expected")

func config() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true,
		ServerName:         *host,
		NextProtos:         []string{"http/1.1"},
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519},
	}
}

// dial connects from 127.0.0.1, or for a client's number above 0 from one of twenty more addresses.
func dial(client int) (net.Conn, error) {
	d := net.Dialer{Timeout: patient}
	if client > 0 {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+client%20))}
	}
	c, err := d.Dial("tcp", *addr)
	if err != nil {
		return nil, err
	}
	t := tls.Client(c, shared)
	c.SetDeadline(time.Now().Add(patient))
	if err := t.Handshake(); err != nil {
		c.Close()
		return nil, err
	}
	c.SetDeadline(time.Time{})
	return t, nil
}

var shared *tls.Config

// readHead returns status and Content-Length, or -1 for a chunked body.
func readHead(b *bufio.Reader) (status, length int, err error) {
	for first := true; ; first = false {
		line, err := b.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first:
			if len(line) < 12 {
				return 0, 0, errOdd
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, 0, err
			}
		case len(line) == 0:
			return status, length, nil
		default:
			name, value, _ := bytes.Cut(line, []byte(":"))
			switch {
			case bytes.EqualFold(name, []byte("content-length")):
				if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
					return 0, 0, err
				}
			case bytes.EqualFold(name, []byte("transfer-encoding")):
				length = -1
			}
		}
	}
}

// ask sends a request and reads all of its answer, which must be a 200.
func ask(c net.Conn, b *bufio.Reader, request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	status, length, err := readHead(b)
	if err != nil {
		return err
	}
	if status != 200 {
		return fmt.Errorf("%w: %d", errOdd, status)
	}
	if length >= 0 {
		_, err = b.Discard(length)
		return err
	}
	for {
		line, err := b.ReadString('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return err
		}
		if _, err = b.Discard(int(size) + 2); err != nil || size == 0 {
			return err
		}
	}
}

type tunnel struct {
	c net.Conn
	b *bufio.Reader
}

// upgrade makes a tunnel; see the upstream for what the modes do.
func upgrade(client int, mode string) (tunnel, error) {
	c, err := dial(client)
	if err != nil {
		return tunnel{}, err
	}
	request := fmt.Sprintf("POST /ts2021?mode=%s&msg=%d&total=%d&period=%d&burst=%d HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n"+
		"Content-Length: 0\r\nConnection: upgrade\r\nUpgrade: tailscale-control-protocol\r\nX-Tailscale-Handshake: %s\r\n\r\n",
		mode, *msg, *total, *period, *burst, *host, strings.Repeat("A", 136))
	c.SetReadDeadline(time.Now().Add(patient))
	b := bufio.NewReaderSize(c, 512)
	status := 0
	if _, err = io.WriteString(c, request); err == nil {
		status, _, err = readHead(b)
	}
	if err == nil && status != 101 {
		err = fmt.Errorf("%w: %d", errOdd, status)
	}
	if err != nil {
		c.Close()
		return tunnel{}, err
	}
	c.SetReadDeadline(time.Time{})
	return tunnel{c, b}, nil
}

func several(count int, mode string) []tunnel {
	all := make([]tunnel, count)
	for i := range all {
		t, err := upgrade(0, mode)
		die(err)
		all[i] = t
	}
	return all
}
