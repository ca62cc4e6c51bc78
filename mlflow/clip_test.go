package mlflow_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nexport-go/migrate/mlflow"
)

func TestClip(t *testing.T) {
	for lead := range 5 {
		text := strings.Repeat("x", lead) + strings.Repeat("🚀", 30)
		got := mlflow.Clip(text)
		if !utf8.ValidString(got) || len(got) > 80 || len(got) < 76 || !strings.HasPrefix(text, strings.TrimSuffix(got, "...")) {
			t.Errorf("%q", got)
		}
	}
	if got := mlflow.Clip("short"); got != "short" {
		t.Errorf("%q", got)
	}
}
