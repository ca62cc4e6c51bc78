package mlflow_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexport-go/migrate/mlflow"
)

// TestCredentialsFile has what mlflow.utils.credentials of MLflow 2.22.5 and 3.17.2 reads from these
// files. USER and PASS stand for the keys.
func TestCredentialsFile(t *testing.T) {
	for name, test := range map[string]struct{ file, user, password string }{
		"equals":             {"[mlflow]\nUSER = ann\nPASS = pw\n", "ann", "pw"},
		"colons":             {"[mlflow]\nUSER: ann\nPASS:pw\n", "ann", "pw"},
		"no space":           {"[mlflow]\nUSER=ann\nPASS=pw", "ann", "pw"},
		"colon in value":     {"[mlflow]\nUSER = ann\nPASS = a:b\n", "ann", "a:b"},
		"equals in value":    {"[mlflow]\nUSER = ann\nPASS: a=b\n", "ann", "a=b"},
		"upper case":         {"[mlflow]\nMlflow_Tracking_UserName = ann\nMlflow_Tracking_Password = pw\n", "ann", "pw"},
		"percent":            {"[mlflow]\nUSER = ann\nPASS = 50%%off\n", "ann", "50%off"},
		"comments":           {"# c\n; c\n[mlflow]\n# USER = x\n; PASS = x\nUSER = ann\n  # indented\nPASS = pw\n", "ann", "pw"},
		"no comments":        {"[mlflow]\nUSER = ann # no\nPASS = pw ; no\n", "ann # no", "pw ; no"},
		"hash":               {"[mlflow]\nUSER = ann\nPASS = p#w;x\n", "ann", "p#w;x"},
		"space in section":   {"[ mlflow ]\nUSER = ann\nPASS = pw\n", "", ""},
		"case of section":    {"[MLflow]\nUSER = ann\nPASS = pw\n", "", ""},
		"behind section":     {"[mlflow] # x\nUSER = ann\nPASS = pw\n", "ann", "pw"},
		"all indented":       {"  [mlflow]\n  USER = ann\n  PASS = pw\n", "ann", "pw"},
		"keys indented":      {"[mlflow]\n  USER = ann\n  PASS = pw\n", "ann", "pw"},
		"one indented":       {"[mlflow]\nUSER = ann\n  PASS = pw\n", "ann\nmlflow_tracking_password = pw", ""},
		"goes on":            {"[mlflow]\nUSER = ann\nPASS = pw\n\n  more\n", "ann", "pw\n\nmore"},
		"begins later":       {"[mlflow]\nUSER = ann\nPASS =\n  pw\n", "ann", "\npw"},
		"default":            {"[DEFAULT]\nUSER = ann\nPASS = other\n[mlflow]\nPASS = pw\n", "ann", "pw"},
		"default at the end": {"[mlflow]\nPASS = pw\n[DEFAULT]\nUSER = ann\n", "ann", "pw"},
		"default alone":      {"[DEFAULT]\nUSER = ann\nPASS = pw\n", "", ""},
		"other sections":     {"[other]\nUSER = x\n[mlflow]\nUSER = ann\nPASS = pw\n[more]\nPASS = x\n", "ann", "pw"},
		"quotes":             {"[mlflow]\nUSER = 'ann'\nPASS = \"pw\"\n", "'ann'", `"pw"`},
		"brackets":           {"[mlflow]\nUSER = ann\nPASS = [pw]\n", "ann", "[pw]"},
		"CR LF":              {"[mlflow]\r\nUSER = ann\r\nPASS = pw\r\n", "ann", "pw"},
		"white space":        {"[mlflow]\nUSER   =   ann  \nPASS\t=\tp w\n", "ann", "p w"},
		"not ASCII":          {"[mlflow]\nUSER = änn\nPASS = pä\n", "änn", "pä"},
		"no value":           {"[mlflow]\nUSER =\nPASS = pw\n", "", "pw"},
		"nothing":            {"", "", ""},

		// These are errors of Python's reader.
		"single percent":  {"[mlflow]\nUSER = a%b\nPASS = 50%off%\n", "a%b", "50%off%"},
		"byte order mark": {"\ufeff[mlflow]\nUSER = ann\nPASS = pw\n", "ann", "pw"},
		"no section":      {"USER = ann\nPASS = pw\n", "", ""},
		"section twice":   {"[mlflow]\nUSER = ann\n[mlflow]\nPASS = pw\n", "ann", "pw"},
		"no key":          {"[mlflow]\nUSER\n= x\nPASS = pw\n", "", "pw"},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			file := strings.NewReplacer("USER", "mlflow_tracking_username", "PASS", "mlflow_tracking_password").Replace(test.file)
			writeFile(t, filepath.Join(home, ".mlflow", "credentials"), file)
			got, err := mlflow.FromEnv(func(string) string { return "" }, home)
			if err != nil || got.Username != test.user || got.Password != test.password {
				t.Errorf("got %q and %q, want %q and %q; error %v", got.Username, got.Password, test.user, test.password, err)
			}
		})
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWhichCredentials has what MLflow's client 2.22.5 and 3.17.2 sends.
func TestWhichCredentials(t *testing.T) {
	user := mlflow.Config{Username: "ann", Password: "x"}
	token := mlflow.Config{Token: "tok"}
	password := mlflow.Config{Password: "x"}
	basic := func(user, password string) string {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	for _, test := range []struct {
		login string
		cfg   mlflow.Config
		want  string
	}{
		{"", mlflow.Config{}, ""},
		{"", user, basic("ann", "x")},
		{"", token, "Bearer tok"},
		{"", password, ""},
		{"bob:pw@", mlflow.Config{}, basic("bob", "pw")},
		{"bob:pw@", user, basic("bob", "pw")},
		{"bob:pw@", token, basic("bob", "pw")},
		{"bob:pw@", password, basic("bob", "pw")},
		{"bob@", user, basic("ann", "x")},
		{"bob@", token, "Bearer tok"},
		{"bob:@", user, basic("bob", "")},
		{":pw@", token, basic("", "pw")},
		{"b%40b:p%25w%3A@", user, basic("b@b", "p%w:")},

		{"bob@", password, basic("bob", "x")}, // MLflow's sends none
	} {
		var got string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Authorization")
			w.WriteHeader(http.StatusTeapot)
		}))
		cfg := test.cfg
		cfg.TrackingURI = strings.Replace(server.URL, "://", "://"+test.login, 1)
		if _, err := put(t, newSink(t, cfg), example()); err == nil {
			t.Error("no error")
		}
		server.Close()
		if got != test.want {
			t.Errorf("%q with user %q, password %q, token %q: %q, want %q", test.login, cfg.Username, cfg.Password, cfg.Token, got, test.want)
		}
	}
}
