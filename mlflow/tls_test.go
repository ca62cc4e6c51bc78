package mlflow_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

// secure serves a fake MLflow by TLS. With a pool it demands a client's certificate.
func secure(t *testing.T, clients *x509.CertPool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(mlflowtest.NewServer(t, mlflowtest.Options{}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if clients != nil {
		server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// loadWith loads with these variables.
func loadWith(t *testing.T, server *httptest.Server, env map[string]string) error {
	t.Helper()
	cfg, err := mlflow.FromEnv(func(key string) string { return env[key] }, "")
	if err != nil {
		t.Fatal(err)
	}
	cfg.TrackingURI = server.URL
	repeats := 0
	sink, err := mlflow.New(mlflow.WithoutWaiting(cfg, func(time.Duration) { repeats++ }))
	if err != nil {
		return err
	}
	_, err = put(t, sink, example())
	if repeats > 2 { // a connection that the server has closed may fail before its reason is read
		t.Errorf("the request was repeated %d times", repeats)
	}
	return err
}

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestServerCertificate(t *testing.T) {
	server := secure(t, nil)
	dir := t.TempDir()
	ca, other, none := filepath.Join(dir, "ca", "a.pem"), filepath.Join(dir, "other.pem"), filepath.Join(dir, "none.pem")
	writeFile(t, ca, certificatePEM(server.Certificate().Raw))
	writeFile(t, filepath.Join(dir, "ca", "README"), "no certificate")
	writeFile(t, filepath.Join(dir, "ca", "java", "cacerts"), "no certificate")
	stranger, _ := clientCertificate(t)
	writeFile(t, other, certificatePEM(stranger.Raw))
	writeFile(t, none, "no certificate")
	const bundle, insecure = "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_INSECURE_TLS"
	for name, test := range map[string]struct {
		env map[string]string
		err string
	}{
		"nothing":             {nil, "certificate"},
		"insecure":            {map[string]string{insecure: "true"}, ""},
		"not insecure":        {map[string]string{insecure: "false"}, "certificate"},
		"bundle":              {map[string]string{bundle: ca}, ""},
		"directory":           {map[string]string{bundle: filepath.Dir(ca)}, ""},
		"other bundle":        {map[string]string{bundle: other}, "certificate"},
		"bundle of nothing":   {map[string]string{bundle: none}, "no PEM certificates"},
		"no bundle":           {map[string]string{bundle: filepath.Join(dir, "gone")}, "gone"},
		"insecure and bundle": {map[string]string{insecure: "1", bundle: ca}, "exclude each other"},
	} {
		t.Run(name, func(t *testing.T) {
			err := loadWith(t, server, test.env)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestClientCertificate(t *testing.T) {
	certificate, key := clientCertificate(t)
	clients := x509.NewCertPool()
	clients.AddCert(certificate)
	server := secure(t, clients)
	dir := t.TempDir()
	ca, own, wrong := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "own.pem"), filepath.Join(dir, "wrong.pem")
	writeFile(t, ca, certificatePEM(server.Certificate().Raw))
	writeFile(t, own, certificatePEM(certificate.Raw)+key)
	writeFile(t, wrong, certificatePEM(certificate.Raw))
	for name, test := range map[string]struct{ path, err string }{
		"certificate and key": {own, ""},
		"no certificate":      {"", "certificate"},
		"no key":              {wrong, "client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			err := loadWith(t, server, map[string]string{
				"MLFLOW_TRACKING_SERVER_CERT_PATH": ca, "MLFLOW_TRACKING_CLIENT_CERT_PATH": test.path,
			})
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// clientCertificate makes a certificate that signs itself, and its key as PEM.
func clientCertificate(t *testing.T) (*x509.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}
