package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

const validity = 10 * 365 * 24 * time.Hour

// An authority signs certificates and writes them as PEM files below dir.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// A request is one certificate to be signed: its file name, its subject, and the names it may serve under.
type request struct {
	file, user, group string
	names             []string
	addresses         []net.IP
}

// newPKICommand writes a certificate authority and everything it signs for one cluster into one directory.
func newPKICommand() *cobra.Command {
	var addresses []net.IP
	cmd := &cobra.Command{
		Use:   "pki DIR",
		Short: "Write the certificates and keys of a cluster into DIR",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return writePKI(args[0], addresses)
		},
		SilenceUsage: true,
	}
	cmd.Flags().IPSliceVar(&addresses, "address", nil, "further addresses of the API server")
	return cmd
}

func writePKI(dir string, addresses []net.IP) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ca, err := newAuthority(dir)
	if err != nil {
		return err
	}
	for _, r := range requests(addresses) {
		if err := ca.issue(r); err != nil {
			return fmt.Errorf("%s: %w", r.file, err)
		}
	}
	return writeServiceAccountKey(dir)
}

func requests(addresses []net.IP) []request {
	return []request{
		{
			file: "apiserver", user: "kube-apiserver",
			names:     []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			addresses: append([]net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)}, addresses...),
		},
		{file: "kubelet-client", user: "kube-apiserver-kubelet-client", group: "system:masters"},
		{file: "admin", user: "admin", group: "system:masters"},
		{file: "kube-controller-manager", user: "system:kube-controller-manager"},
		{file: "kube-scheduler", user: "system:kube-scheduler"},
	}
}

func newAuthority(dir string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(pkix.Name{CommonName: "batchyard-devcluster-ca"})
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	// What is signed names the key of its signer, which only the parsed certificate has; Python >= 3.13 insists on it.
	signer := authority{dir: dir, cert: template, key: key}
	der, err := signer.write("ca", template, key)
	if err != nil {
		return nil, err
	}
	signer.cert, err = x509.ParseCertificate(der)
	return &signer, err
}

func (ca *authority) issue(r request) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	subject := pkix.Name{CommonName: r.user}
	if r.group != "" {
		subject.Organization = []string{r.group}
	}
	template := certificate(subject)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(r.names) > 0 {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		template.DNSNames, template.IPAddresses = r.names, r.addresses
	}
	_, err = ca.write(r.file, template, key)
	return err
}

// write signs the template for key, leaves file.crt and file.key, and returns the certificate in DER.
func (ca *authority) write(file string, template *x509.Certificate, key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	if err := writePEM(filepath.Join(ca.dir, file+".crt"), "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return der, writeKey(filepath.Join(ca.dir, file+".key"), key)
}

// certificate is valid from an hour ago, so that a clock set back a little does not lock everybody out.
func certificate(subject pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	start := time.Now().Add(-time.Hour)
	return &x509.Certificate{SerialNumber: serial, Subject: subject, NotBefore: start, NotAfter: start.Add(validity)}
}

func writeServiceAccountKey(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(dir, "service-account.pub"), "PUBLIC KEY", public); err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, "service-account.key"), key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
