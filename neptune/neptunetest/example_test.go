package neptunetest_test

import (
	"fmt"
	"net/http"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

func ExampleStart() {
	server, err := neptunetest.Start(neptunetest.Options{
		Projects: []*neptunetest.Project{{Workspace: "team", Name: "mnist", Key: "MN", Runs: []*neptunetest.Run{{
			ID: "MN-1", CustomID: "first", Attributes: []neptunetest.Attribute{
				{Path: "lr", Value: neptunetest.Float(0.1)},
				{Path: "loss", Value: neptunetest.FloatSeries{{Step: 1, TimeMS: 1700000000000, Value: 0.5}}},
				{Path: "model", Value: neptunetest.FileOf("model.pt", "application/octet-stream", []byte("weights"))},
			},
		}}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	// The second request finds the server overloaded, all others do not.
	server.SetFault(func(n int, _ *http.Request) neptunetest.Fault {
		if n == 1 {
			return neptunetest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "2"}
		}
		return neptunetest.Fault{}
	})
	for range 3 {
		r, err := http.NewRequest(http.MethodGet, server.URL+"/api/backend/v1/authorization/oauth-token", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		r.Header.Set("X-Neptune-Api-Token", server.Token())
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Printf("%d %q\n", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	fmt.Println(len(server.Requests()), "requests")
	// Output:
	// 200 ""
	// 429 "2"
	// 200 ""
	// 3 requests
}
