package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// entry is what one request looked like when it arrived here.
type entry struct {
	Method  string              `json:"method"`
	Target  string              `json:"target"`
	Fields  map[string][]string `json:"fields"`
	Chunked bool                `json:"chunked"`
	Length  int64               `json:"length"` // announced; -1 when not
	Read    int64               `json:"read"`
	Digest  string              `json:"digest"` // SHA-256 of the body, once it was read to its end
	Error   string              `json:"error"`  // why it was not
	After   string              `json:"after"`  // bytes that came on the connection after an early answer
}

const most = 20000

var journal struct {
	on bool
	sync.Mutex
	entries []*entry
}

func note(r *http.Request) *entry {
	e := &entry{Method: r.Method, Target: r.RequestURI, Fields: r.Header, Length: r.ContentLength, Chunked: len(r.TransferEncoding) > 0}
	if journal.on {
		journal.Lock()
		if len(journal.entries) < most {
			journal.entries = append(journal.entries, e)
		}
		journal.Unlock()
	}
	return e
}

func (e *entry) readBody(r *http.Request) {
	sum := sha256.New()
	read, err := io.Copy(sum, r.Body)
	journal.Lock()
	defer journal.Unlock()
	e.Read = read
	if err != nil {
		e.Error = err.Error()
	} else {
		e.Digest = hex.EncodeToString(sum.Sum(nil))
	}
}

func (e *entry) followed(data []byte) {
	journal.Lock()
	e.After += string(data)
	journal.Unlock()
}

// tell writes all entries and forgets them.
func tell(w http.ResponseWriter, _ *http.Request) {
	journal.Lock()
	defer journal.Unlock()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(journal.entries)
	journal.entries = nil
}
