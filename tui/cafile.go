package tui

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// maxCAFile bounds what is read as a CA file: a system's whole store is a quarter of a mebibyte.
const maxCAFile = 8 << 20

// errNoCertificate is what is wrong with a CA file that can be read.
var errNoCertificate = errors.New("it holds no certificate in PEM form")

// read loads the certificates of a draft that names a file of them.
func (d *draft) read() error {
	if !d.readCAs {
		return nil
	}
	info, err := os.Stat(d.caFile)
	switch {
	case err != nil:
		return withoutPath(err)
	case !info.Mode().IsRegular():
		return errors.New("it is no regular file")
	case info.Size() > maxCAFile:
		return fmt.Errorf("it is larger than %s", layout.Size(maxCAFile))
	}
	text, err := os.ReadFile(d.caFile)
	if err != nil {
		return withoutPath(err)
	}
	if !holdsCertificate(text) {
		return errNoCertificate
	}
	d.target.TLS.CAs = string(text)
	return nil
}

// withoutPath is what is wrong with a file whose path stands beside it.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

func holdsCertificate(text []byte) bool {
	for block, rest := pem.Decode(bytes.TrimSpace(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			if _, err := x509.ParseCertificate(block.Bytes); err == nil {
				return true
			}
		}
	}
	return false
}

// A badField is an entry that turned out wrong after the check had begun.
type badField struct {
	side  int
	field fieldID
	err   error
}

func (e *badField) Error() string {
	return fmt.Sprintf("%s, %s: %v", sideName[e.side], fieldTexts[e.field].label, e.err)
}
func (e *badField) Unwrap() error { return e.err }
