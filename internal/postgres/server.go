//go:build unix

// Package postgres runs real PostgreSQL servers for tests and benchmarks.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Who connects, and how: the servers ask for a password, as real ones do.
const (
	User     = "nexport"
	Password = "not/so secret" // has to be escaped in a URI
)

const (
	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second
)

// Options of a server; the zero value is meant for tests.
type Options struct {
	Durable  bool     // keep fsync on: slower, but the times are those of a real server
	Settings []string // further ones, as "name=value"
}

// Server is one PostgreSQL server on a free port of 127.0.0.1, with its data in a directory of its own.
type Server struct {
	bin, dir string
	options  Options
	port     int
	cmd      *exec.Cmd
	made     atomic.Int64 // databases
}

// Start makes the files of a server with the programs in the directory bin (initdb, postgres), starts it
// and waits until it answers. PostgreSQL refuses to run as root: then it runs as the user postgres or nobody.
func Start(bin string, options Options) (*Server, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, fmt.Errorf("find the programs of PostgreSQL: %w", err)
	}
	dir, err := os.MkdirTemp("", "postgres")
	if err != nil {
		return nil, fmt.Errorf("make a directory for PostgreSQL: %w", err)
	}
	s := &Server{bin: bin, dir: dir, options: options}
	if err := s.initialize(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := s.start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// Stop ends the server and removes its files.
func (s *Server) Stop() {
	s.signal(syscall.SIGINT) // open connections are closed
	s.wait()
	os.RemoveAll(s.dir)
}

// Restart is a crash of the server and a new start on the same files and port.
func (s *Server) Restart() error {
	s.signal(syscall.SIGQUIT) // its processes end at once, without writing anything
	s.wait()
	return s.start()
}

// Database makes a new empty database and gives its URI, with user and password.
func (s *Server) Database(ctx context.Context) (string, error) {
	db, err := pgx.Connect(ctx, s.URI("postgres"))
	if err != nil {
		return "", fmt.Errorf("make a database: %w", err)
	}
	defer db.Close(ctx)
	name := fmt.Sprintf("db%d", s.made.Add(1))
	if _, err := db.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", fmt.Errorf("make a database: %w", err)
	}
	return s.URI(name), nil
}

// URI is that of a database of the server, in the form that MLflow and pgx take.
func (s *Server) URI(database string) string {
	u := url.URL{
		Scheme: "postgresql", User: url.UserPassword(User, Password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + database,
	}
	return u.String()
}

func (s *Server) initialize() error {
	credential, err := unprivileged()
	if err != nil {
		return err
	}
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(Password), 0o600); err != nil {
		return fmt.Errorf("write the password of PostgreSQL: %w", err)
	}
	if credential != nil {
		for _, path := range []string{s.dir, password} {
			if err := os.Chown(path, int(credential.Uid), int(credential.Gid)); err != nil {
				return fmt.Errorf("give PostgreSQL its directory: %w", err)
			}
		}
	}
	cmd := s.command("initdb", credential, "--pgdata", s.data(), "--username", User, "--pwfile", password,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the files of PostgreSQL: %w; initdb says:\n%s", err, out)
	}
	s.port, err = freePort()
	return err
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) start() error {
	credential, err := unprivileged()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of PostgreSQL: %w", err)
	}
	defer log.Close()
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	if !s.options.Durable {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	for _, setting := range s.options.Settings {
		args = append(args, "-c", setting)
	}
	s.cmd = s.command("postgres", credential, args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	return s.answers()
}

func (s *Server) log() string { return filepath.Join(s.dir, "server.log") }

// command runs in the server's directory: the one of the tests may be closed to its user. A process
// group of its own keeps the terminal's Ctrl-C from it, so that tests can still clean up.
func (s *Server) command(program string, credential *syscall.Credential, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: credential}
	return cmd
}

func (s *Server) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var err error
	for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		var db *pgx.Conn
		if db, err = pgx.Connect(ctx, s.URI("postgres")); err == nil {
			return db.Close(ctx)
		}
	}
	s.signal(syscall.SIGQUIT)
	s.wait()
	log, _ := os.ReadFile(s.log())
	return fmt.Errorf("PostgreSQL does not answer: %w; its log:\n%s", err, log)
}

func (s *Server) signal(sig syscall.Signal) { s.cmd.Process.Signal(sig) }

// wait waits for the end of the server, and kills it with its processes when that takes too long.
func (s *Server) wait() {
	kill := time.AfterFunc(stopTimeout, func() { syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) })
	defer kill.Stop()
	s.cmd.Wait()
}

// unprivileged gives the user to run as, or nil for the one that runs the tests.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("look up the user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
