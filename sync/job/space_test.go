package job

import (
	"slices"
	"testing"
	"time"
)

func TestQuotaResponsesAreRead(t *testing.T) {
	for args, want := range map[string][]quota{
		`"" (STORAGE 10 512)`:                         {{"", "STORAGE", 10 << 10, 512 << 10}},
		`"User quota" (STORAGE 0 100 MESSAGE 3 1000)`: {{"User quota", "STORAGE", 0, 100 << 10}, {"User quota", "MESSAGE", 3, 1000}},
		`user.anna (storage 5 4)`:                     {{"user.anna", "STORAGE", 5 << 10, 4 << 10}},
		`"(odd) root" (MESSAGE 1 2)`:                  {{"(odd) root", "MESSAGE", 1, 2}},
		`root ()`:                                     nil,
		`root`:                                        nil,
		`root (STORAGE 1)`:                            nil,
		`root (STORAGE x 5 MESSAGE 1 2)`:              {{"root", "MESSAGE", 1, 2}},
		`root (STORAGE -1 5)`:                         nil,
		`root (STORAGE 1 99999999999999999999)`:       nil,
		`root (STORAGE 1 9223372036854775807)`:        nil,
	} {
		got := parseQuota(args)
		if !slices.Equal(got, want) {
			t.Errorf("%q is %+v, want %+v", args, got, want)
		}
	}
}

func TestFreeIsNeverBelowNothing(t *testing.T) {
	if got := (quota{used: 5, limit: 4}).free(); got != 0 {
		t.Errorf("got %d", got)
	}
}

func TestEstimatesCountAQuarterLess(t *testing.T) {
	if got := (amount{octets: 1000, exact: true}).surely(); got != 1000 {
		t.Errorf("told: %d", got)
	}
	if got := (amount{octets: 1000}).surely(); got != 750 {
		t.Errorf("estimated: %d", got)
	}
}

func TestProductsAreTold(t *testing.T) {
	for _, c := range []struct {
		greeting string
		caps     []string
		want     product
	}{
		{"* OK [CAPABILITY IMAP4rev1] Dovecot (Debian) ready.", nil, dovecot},
		{"* OK mail Cyrus IMAP 3.6.1 server ready", nil, cyrus},
		{"* OK [CAPABILITY IMAP4rev1] Courier-IMAP ready.", nil, courier},
		{"* OK ready", []string{"IMAP4rev1", "snippet=fuzzy"}, dovecot},
		{"* OK ready", []string{"X-REPLICATION"}, cyrus},
		{"* OK ready", []string{"ACL2=UNION"}, courier},
		{"* OK Gimap ready", []string{"X-GM-EXT-1"}, ""},
	} {
		if got := productOf(c.greeting, c.caps); got != c.want {
			t.Errorf("%s %v is %q, want %q", c.greeting, c.caps, got, c.want)
		}
	}
}

func TestEstimatedTimesAreRound(t *testing.T) {
	for d, want := range map[time.Duration]string{
		300 * time.Millisecond: "under a second", 42 * time.Second: "about 42 s", 20 * time.Minute: "about 20 min",
		5 * time.Hour: "about 5 h", 72 * time.Hour: "about 3 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func FuzzParseQuota(f *testing.F) {
	f.Add(`"User quota" (STORAGE 0 100 MESSAGE 3 1000)`)
	f.Add(`(`)
	f.Fuzz(func(t *testing.T, args string) {
		for _, q := range parseQuota(args) {
			if q.used < 0 || q.limit < 0 || q.free() < 0 {
				t.Errorf("%q is %+v", args, q)
			}
		}
	})
}
