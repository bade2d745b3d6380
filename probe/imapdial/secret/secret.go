// Package secret holds passwords and tokens so that they cannot be printed by
// accident, and the references that lead to one. It keeps nothing on disk, and
// it does not promise to wipe memory: Go may have copied it.
package secret

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// redacted is what appears in place of every Secret, the empty one included: not even that is told.
const redacted = "[secret]"

// A Secret is a password or a token. However it is printed, logged or marshalled,
// a placeholder appears. The bytes stand behind a func: fmt would print bytes
// behind a pointer when the Secret is a field of a printed struct. The zero value
// is the empty secret.
type Secret struct{ reveal func() []byte }

// New returns a Secret that holds a copy of b.
func New(b []byte) Secret {
	if len(b) == 0 {
		return Secret{}
	}
	own := slices.Clone(b)
	return Secret{reveal: func() []byte { return own }}
}

// Reveal returns a copy of the bytes. Call it only where they are written to a connection.
func (s Secret) Reveal() []byte {
	if s.reveal == nil {
		return nil
	}
	return slices.Clone(s.reveal())
}

// Empty reports whether the secret has no bytes.
func (s Secret) Empty() bool { return s.reveal == nil }

// Format prints the placeholder whatever the verb and its flags are.
func (s Secret) Format(f fmt.State, verb rune) { io.WriteString(f, redacted) }

// String returns the placeholder.
func (s Secret) String() string { return redacted }

// GoString returns the placeholder.
func (s Secret) GoString() string { return redacted }

// LogValue returns the placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns the placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns the placeholder as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
