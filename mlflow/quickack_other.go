//go:build !linux

package mlflow

import (
	"context"
	"net"
	"time"
)

// dialQuick is an ordinary dialer where there is no TCP_QUICKACK.
func dialQuick(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return dialer.DialContext(ctx, network, addr)
}
