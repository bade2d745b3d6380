package mailsync

// A Summary is what a run did, counted from a re-read of the destination.
type Summary struct {
	Schema      string    `json:"schema"`  // "imapilot.sync/1"
	Verdict     string    `json:"verdict"` // complete, partial, stopped or failed
	ExitCode    int       `json:"exit_code"`
	Folders     int       `json:"folders"`
	Messages    Counts    `json:"messages"`
	BytesCopied int64     `json:"bytes_copied"`
	DurationMS  int64     `json:"duration_ms"`
	Failures    []Failure `json:"failures"`
	Verified    *Verified `json:"verified"` // nil when the destination was not read again
}

// Counts obeys source = present + copied + skipped + failed + remaining.
type Counts struct {
	Source       int64 `json:"source"`
	Present      int64 `json:"present"`
	Copied       int64 `json:"copied"`
	Skipped      int64 `json:"skipped"`
	Failed       int64 `json:"failed"`
	Remaining    int64 `json:"remaining"`
	Deleted      int64 `json:"deleted"`
	FlagsUpdated int64 `json:"flags_updated"`
}

// done is what needs no more work.
func (c Counts) done() int64 { return c.Present + c.Copied + c.Skipped + c.Failed }

// A Failure is a message, or with UID 0 a mailbox, that could not be copied.
type Failure struct {
	Folder     string `json:"folder"` // at the source
	UID        uint32 `json:"uid"`
	Size       int64  `json:"size"`
	MessageID  string `json:"message_id"`
	Step       string `json:"step"` // fetch, append, store, create or select
	Code       string `json:"code"` // the response code's name, "stand-in", or ""
	ServerText string `json:"server_text"`
}

// Verified is the count of the re-read.
type Verified struct {
	Messages int64 `json:"messages"` // source messages that are at the destination
	Missing  int64 `json:"missing"`  // source messages that are not, those that failed included
	Surplus  int64 `json:"surplus"`  // copies above what was there before and was copied
	// Altered counts messages that the destination holds with other content than it was given.
	Altered int64 `json:"altered,omitempty"`
}
