package realserver_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

// A verdict is a test that only notes how it ended.
type verdict struct {
	testing.TB
	text string
}

func (v *verdict) Helper() {}

func (v *verdict) Skipf(format string, args ...any) {
	v.text = "skip: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.text = "fail: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestMissingProgramSkipsOrFails(t *testing.T) {
	for _, tt := range []struct{ require, program, want string }{
		{"", "no-such-program", "skip: no-such-program is not installed"},
		{"dovecot,openssl", "no-such-program", "skip: no-such-program is not installed"},
		{"all", "no-such-program", "fail: no-such-program is not installed, and IMAPILOT_TEST_REQUIRE asks for it"},
		{"dovecot, no-such-program", "no-such-program", "fail: no-such-program is not installed, and IMAPILOT_TEST_REQUIRE asks for it"},
		{"all", "sh", "found"},
	} {
		t.Setenv("IMAPILOT_TEST_REQUIRE", tt.require)
		v := &verdict{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if path := realserver.Require(v, tt.program); strings.HasSuffix(path, "/"+tt.program) {
				v.text = "found"
			}
		}()
		<-done
		if v.text != tt.want {
			t.Errorf("with %q: %s, want %s", tt.require, v.text, tt.want)
		}
	}
}
