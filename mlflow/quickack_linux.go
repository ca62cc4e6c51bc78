package mlflow

import (
	"context"
	"net"
	"syscall"
	"time"
)

// dialQuick makes connections that acknowledge what they receive at once. A server of several
// workers, which is what `mlflow server` starts, sends head and body of an answer apart and waits
// with the second for the acknowledgement of the first: 40 ms for every request, else.
func dialQuick(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn, nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn, nil
	}
	return quickConn{tcp, raw}, nil
}

type quickConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

// Read asks for it each time, since the system forgets (tcp(7), TCP_QUICKACK).
func (c quickConn) Read(b []byte) (int, error) {
	_ = c.raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
	return c.TCPConn.Read(b)
}
