package mailsync

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// An Event is one entry of the NDJSON stream: run.start, endpoint, folder.start, progress, message.failed, throttled,
// reconnected, folder.end or run.end, with the fields that belong to it.
type Event struct {
	Event string    `json:"event"`
	Seq   uint64    `json:"seq"`
	T     time.Time `json:"t"`
	Data  any       `json:"-"` // a struct, marshalled into the same object
}

// MarshalJSON writes one flat object: event, seq and t, then the fields of Data.
func (e Event) MarshalJSON() ([]byte, error) {
	type head Event
	e.T = e.T.UTC()
	out, err := json.Marshal(head(e))
	if err != nil || e.Data == nil {
		return out, err
	}
	data, err := json.Marshal(e.Data)
	if err != nil {
		return nil, err
	}
	switch {
	case string(data) == "{}" || string(data) == "null":
		return out, nil
	case !bytes.HasPrefix(data, []byte("{")):
		return nil, fmt.Errorf("event %s: its data are no object", e.Event)
	}
	return append(append(out[:len(out)-1], ','), data[1:]...), nil
}

// RunStart is the data of run.start.
type RunStart struct {
	Source string `json:"source"` // host:port/security
	Dest   string `json:"dest"`
}

// Endpoint is the data of endpoint: a side is connected.
type Endpoint struct {
	Side     string `json:"side"` // source or dest
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Security string `json:"security"`
	Auth     string `json:"auth"` // the mechanism that was used
}

// FolderStart is the data of folder.start: both sides of a mailbox have been compared, or cannot be.
type FolderStart struct {
	Source      string `json:"source"`
	Dest        string `json:"dest"`
	Create      bool   `json:"create"`
	Messages    int64  `json:"messages"`
	ToCopy      int64  `json:"to_copy"`
	BytesToCopy int64  `json:"bytes_to_copy"`
}

// FolderEnd is the data of folder.end.
type FolderEnd struct {
	Source   string `json:"source"`
	Dest     string `json:"dest"`
	Messages Counts `json:"messages"`
	// FlagsLost counts messages with flags that the destination cannot keep.
	FlagsLost int64 `json:"flags_lost"`
}

// ProgressEvent is the data of progress. It carries totals, so that losing all but the last loses nothing.
type ProgressEvent struct {
	Phase      string `json:"phase"`
	Messages   Counts `json:"messages"`
	Bytes      int64  `json:"bytes"`
	BytesTotal int64  `json:"bytes_total"`
}

// Throttled is the data of throttled: a server wants us to wait.
type Throttled struct {
	Side       string `json:"side"`
	Code       string `json:"code"` // of the response, such as LIMIT
	ServerText string `json:"server_text"`
	WaitMS     int64  `json:"wait_ms"`
}

// Reconnected is the data of reconnected: a lost connection is open again.
type Reconnected struct {
	Side    string `json:"side"`
	Attempt int    `json:"attempt"` // since the last progress
	Reason  string `json:"reason"`  // why the one before was lost
}
