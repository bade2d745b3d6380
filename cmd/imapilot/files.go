package main

import (
	"errors"
	"os"
)

// A fileError is a file that cannot be used: unreadable, empty, of the wrong kind.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// withoutPath leaves out the path, where what surrounds err names it.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
