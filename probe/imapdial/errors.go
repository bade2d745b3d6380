package imapdial

import (
	"fmt"
	"strings"
)

// An Error says at which stage a connection attempt failed, and why.
type Error struct {
	Stage    Stage
	Endpoint Endpoint
	Err      error // cause, for errors.As: *net.OpError, *PolicyError, *StartTLSError, *GreetingError, *SignInError, …
}

func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Stage, e.Endpoint.Address(), e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// A PolicyError says that a server did not meet the TLS policy.
type PolicyError struct{ Faults []Fault }

func (e *PolicyError) Error() string {
	var s []string
	for _, f := range e.Faults {
		if f.Blocking {
			s = append(s, f.Detail)
		}
	}
	return strings.Join(s, "; ")
}
