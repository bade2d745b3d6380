package imapdial

import "testing"

// FuzzRecording feeds the reader of handshakes with what a server might send; it must end, and hand out nothing it was not sent.
func FuzzRecording(f *testing.F) {
	hello := []byte{22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3}
	hello = append(append(hello, make([]byte, 33)...), 0x13, 0x01, 0)
	certificate := []byte{22, 3, 3, 0, 12, 11, 0, 0, 8, 0, 0, 5, 0, 0, 2, 0x30, 0}
	f.Add(append(hello, certificate...), []byte(nil))
	f.Add(append(hello, 23, 3, 3, 0, 2, 1, 2), make([]byte, 32))
	f.Fuzz(func(t *testing.T, records, secret []byte) {
		r := recording{records: records, secret: secret}
		size := 0
		for _, der := range r.certificates() {
			size += len(der)
		}
		if size > len(records) {
			t.Errorf("%d octets of certificates in %d octets", size, len(records))
		}
	})
}
