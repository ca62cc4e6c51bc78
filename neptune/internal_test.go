package neptune

import (
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "x": 0, "-1": 0, "NaN": 0, "0.2": 200 * time.Millisecond, "7": 7 * time.Second, "1e300": maxRetryAfter,
		"Wed, 21 Oct 2015 07:28:00 GMT": 0,
	} {
		if got := retryAfter(text); got != want {
			t.Errorf("%q gives %s, want %s", text, got, want)
		}
	}
	if got := retryAfter(time.Now().Add(time.Hour).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")); got < 50*time.Minute {
		t.Errorf("a date in an hour gives %s", got)
	}
}

func TestContentRange(t *testing.T) {
	for text, want := range map[string]struct {
		from, size int64
		ok         bool
	}{
		"bytes 5-9/10": {5, 10, true}, "bytes 5-9/*": {5, -1, true}, "": {}, "bytes */10": {}, "bytes 5/10": {}, "lines 5-9/10": {},
	} {
		if from, size, ok := contentRange(text); from != want.from || ok != want.ok || ok && size != want.size {
			t.Errorf("%q gives %d, %d, %t", text, from, size, ok)
		}
	}
}

func TestTokenLife(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for _, test := range []struct {
		name   string
		claims claims
		want   time.Duration
	}{
		{"an hour", claims{Expires: 1_700_003_600}, time.Hour - refreshMargin},
		{"short", claims{Expires: 1_700_000_010}, 7500 * time.Millisecond},
		{"over", claims{Expires: 1_600_000_000}, 0},
		{"by a clock that is wrong", claims{Expires: 1_600_003_600, Issued: 1_600_000_000}, time.Hour - refreshMargin},
		{"for ever", claims{Expires: 1e300}, maxLife - refreshMargin},
	} {
		if got := test.claims.until(now).Sub(now); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// A token goes only where the API itself is as well protected.
func TestRefreshAddress(t *testing.T) {
	for _, test := range []struct {
		issuer string
		secure bool
		want   string
	}{
		{"https://h/auth/realms/n/", true, "https://h/auth/realms/n/protocol/openid-connect/token"},
		{"http://h/auth", false, "http://h/auth/protocol/openid-connect/token"},
		{"http://h/auth", true, ""},
		{"file:///etc", false, ""},
		{"", true, ""},
	} {
		s := newSession("token", test.secure, time.Now)
		s.keep("x."+segment(`{"exp":1,"azp":"c","iss":"`+test.issuer+`"}`)+".x", "r")
		if s.address != test.want {
			t.Errorf("issuer %q gives %q, want %q", test.issuer, s.address, test.want)
		}
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		`a`: `"a"`, `q"b\s`: `"q\"b\\s"`, "a\nb": "\"a\nb\"", ``: `""`,
	} {
		if got := quote(text); got != want {
			t.Errorf("%q gives %s, want %s", text, got, want)
		}
	}
}

// FuzzQuote wants the string back by the rules of the server, and nothing after it.
func FuzzQuote(f *testing.F) {
	f.Add(`a\"b\\`)
	f.Fuzz(func(t *testing.T, s string) {
		quoted := quote(s)
		var back strings.Builder
		i := 1
		for ; i < len(quoted) && quoted[i] != '"'; i++ {
			if quoted[i] == '\\' {
				i++
			}
			back.WriteByte(quoted[i])
		}
		if i != len(quoted)-1 || back.String() != s {
			t.Fatalf("%q becomes %s", s, quoted)
		}
	})
}

// FuzzTokens decodes what may come as an API token or a bearer token.
func FuzzTokens(f *testing.F) {
	f.Add("eyJhcGlfdXJsIjoiaHR0cDovL2gifQ==")
	f.Add("x.eyJleHAiOjF9.x")
	f.Fuzz(func(t *testing.T, token string) {
		if address, err := tokenAddress(token); err == nil && address == "" {
			t.Fatal("neither an address nor an error")
		} else if err != nil && len(token) > 20 && strings.Contains(err.Error(), token) {
			t.Fatal("the token is in the error")
		}
		c, ok := parseClaims(token)
		if now := time.Now(); ok && c.until(now).After(now.Add(maxLife)) {
			t.Fatalf("renewed only in %s", c.until(now).Sub(now))
		}
		_, _ = parseBase(token)
	})
}
