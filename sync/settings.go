package mailsync

import (
	"context"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// A Side is one of the two accounts of a run.
type Side struct {
	Account imapdial.Account
	// Control is a session that is already open, or nil. The run takes it over and closes it.
	Control *imapdial.Control
	// Open opens one more session with the same validated settings: for writing, and to reconnect.
	Open func(ctx context.Context) (*imapdial.Session, error)

	settled func() // in tests: returns when the server is through with the connections that this side has closed; nil otherwise
}

// FlagMode says what happens to flags of messages that are on both sides.
type FlagMode uint8

// The modes of --flags.
const (
	FlagsAdd    FlagMode = iota // set what the source has, take none away
	FlagsMirror                 // make them equal
	FlagsOff                    // leave them
)

// Settings are the choices of a run. The zero value is the default.
type Settings struct {
	Flags        FlagMode
	NoSpecialUse bool  // keep names where both sides declare the same special use
	Live         *Live // nil: nobody watches
	Retries      int   // reconnects after a lost connection without progress; 0 means 3

	pause time.Duration // the first wait before a reconnect; 0 means firstPause
}

// Key is where a message is. A UID means nothing without its mailbox and UIDVALIDITY (RFC 9051 section 2.3.1.1).
type Key struct {
	Mailbox     string // UTF-8, "/" as the delimiter
	UIDValidity uint32
	UID         uint32
}
