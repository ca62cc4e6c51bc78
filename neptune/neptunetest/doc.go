// Package neptunetest has a fake Neptune server, of 3.x or 2.x, for tests: it serves projects that are given as Go
// values, or as the JSON of a world, over the API that Neptune's own client reads: neptune-query of 3.x, with the same
// protobuf answers, query language, paging and signed links, or neptune 1.14 of 2.x, with the same JSON answers, descriptions of
// the API, query language, paging up to a window of runs, and zips that have to be waited for.
//
//	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{{
//		Workspace: "team", Name: "mnist", Key: "MN",
//		Runs: []*neptunetest.Run{{ID: "MN-1", CustomID: "first", Attributes: []neptunetest.Attribute{
//			{Path: "lr", Value: neptunetest.Float(0.1)},
//			{Path: "loss", Value: neptunetest.FloatSeries{{Step: 1, TimeMS: 1700000000000, Value: 0.5}}},
//		}}},
//	}}})
//	token := server.Token() // all a client needs: the address is in it
//
// Options.Generation says which of both it is.
//
// The server is strict. A request with an unknown field or parameter, a missing one, a token of another query or more
// than real servers are known to take is refused, and the test fails. What happens to single requests, be
// it an error, a cut answer or an access token that has expired, is decided by Server.SetFault.
//
// The behaviour is that of a real server as far as the clients show it: both clients, unmodified, read back what was seeded. Where
// real servers' behaviour is not known, the comments say what was chosen. Not served are the buckets that charts are drawn
// from, and what is written: nobody exports with either.
package neptunetest
