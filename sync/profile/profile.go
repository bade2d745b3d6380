// Package profile keeps the settings that a preflight found good in a file, so that a later run can go by them. It knows accounts and
// how they are written down; whether the settings are still good is for its caller to find out.
//
// # The file
//
// A profile is one JSON object, made to be read and changed by hand:
//
//	{
//	  "schema": "imapilot.profile/1",
//	  "saved": "2026-11-25T19:15:00Z",
//	  "source": {
//	    "host": "old.example",
//	    "port": 993,
//	    "security": "tls",
//	    "address": "192.0.2.1:993",
//	    "user": "anna",
//	    "auth": "SCRAM-SHA-256",
//	    "password_from": "env:OLD_PASSWORD"
//	  },
//	  "dest": { … }
//	}
//
// saved is when the settings were last found good. host, port and security (tls, starttls or none) must be there; the others may be
// left out, and are named as the flags and the report name them: user, authzid, auth, connect, address, server_name, min_tls, pins, groups,
// ca_certificates (PEM, besides the system's), roots (PEM, in place of the system's), password_from. A name that is not among these
// is an error, so that a misspelt one cannot weaken anything by being overlooked.
//
// No secret is in the file, only where one is. A secret that was typed, or came over stdin or an open file, will have to be typed:
// its reference is written as prompt.
package profile

import (
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// Fresh is how long settings count as found good.
const Fresh = 15 * time.Minute

// A Profile is the settings of both sides, and when they were found good.
type Profile struct {
	Saved        time.Time // UTC, to the second
	Source, Dest Side
}

// A Side is the settings of one side.
type Side struct {
	Account imapdial.Account // as a person gave it: Endpoint.Connect is empty unless one was given
	Address string           // ip:port that was found to answer, or ""
}

// Pinned returns the account, to be reached at the very address that was found to answer.
func (s *Side) Pinned() imapdial.Account {
	a := s.Account
	if s.Address != "" {
		a.Endpoint.Connect = s.Address
	}
	return a
}

// IsFresh reports whether the settings were found good less than [Fresh] before now. A time to come does not count: some clock was wrong.
func (p *Profile) IsFresh(now time.Time) bool {
	age := now.Sub(p.Saved)
	return age > -time.Second && age < Fresh // Saved is rounded to the second
}
