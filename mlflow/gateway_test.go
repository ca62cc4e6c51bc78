package mlflow_test

import (
	"strings"
	"testing"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

// TestGatewayLimit has a gateway before the server that takes small requests only.
func TestGatewayLimit(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{MaxBody: 15_000})
	run := migratetest.Run{
		Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: "1"}},
		Chunks: []migrate.Chunk{
			{Path: "small", Kind: migrate.KindString, Values: migrate.Strings{"x"}},
			{Path: "large", Kind: migrate.KindString, Values: migrate.Strings{strings.Repeat("🚀", 5000)}},
			{Path: "medium", Kind: migrate.KindString, Values: migrate.Strings{strings.Repeat("y", 5000)}},
			floats("m/curve", curve(10_000)...),
		},
	}
	result := mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run)
	held := server.Runs()[0]
	if len(held.Params) != 2 || len(held.Metrics["m/curve"]) != 10_000 || held.Tags[convert.TagState] != convert.StatePartial {
		t.Errorf("%d params, %d points, state %q", len(held.Params), len(held.Metrics["m/curve"]), held.Tags[convert.TagState])
	}
	var refused []string
	for _, p := range result.Problems {
		if p.Code.Lossy() {
			refused = append(refused, p.String())
		}
	}
	if len(refused) != 1 || !strings.HasPrefix(refused[0], "large: ") || !strings.Contains(refused[0], "client_max_body_size") {
		t.Errorf("problems %q", refused)
	}
	// A batch of 1,000 points is 80 KB; the first ones show how small they must be.
	if n := len(server.Requests()); n > 150 {
		t.Errorf("%d requests", n)
	}
}
