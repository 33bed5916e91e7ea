package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxDelay is the most that sending the spans may put off the end of a run,
// whatever OTEL_EXPORTER_OTLP_TIMEOUT says.
const MaxDelay = 3 * time.Second

// Exporter sends spans to a collector.
type Exporter struct {
	endpoint string
	headers  http.Header
	gzip     bool
	limit    time.Duration
	client   *http.Client
	resource []Attribute
	version  string
}

// FromEnv is the exporter that OTEL_* asks for: nil where they ask for none.
// An error says what of them can't be followed.
func FromEnv(env func(string) (string, bool), version string) (*Exporter, error) {
	get := func(name string) string { v, _ := env(name); return strings.TrimSpace(v) }
	// What is said of traces alone wins.
	ofTraces := func(name string) string {
		if v := get("OTEL_EXPORTER_OTLP_TRACES_" + name); v != "" {
			return v
		}
		return get("OTEL_EXPORTER_OTLP_" + name)
	}
	exporters := get("OTEL_TRACES_EXPORTER")
	if strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") || ofTraces("ENDPOINT") == "" ||
		exporters != "" && !slices.Contains(strings.Split(exporters, ","), "otlp") {
		return nil, nil
	}
	if p := ofTraces("PROTOCOL"); p != "" && p != "http/json" && p != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: pikaci speaks http/json, which collectors take where they take http/protobuf", p)
	}
	x := &Exporter{version: version, headers: http.Header{"Content-Type": {"application/json"}}, limit: MaxDelay,
		gzip: ofTraces("COMPRESSION") == "gzip"}
	var err error
	if x.endpoint, err = endpoint(get); err != nil {
		return nil, err
	}
	if err := x.addHeaders(ofTraces("HEADERS")); err != nil {
		return nil, err
	}
	if ms, err := strconv.Atoi(ofTraces("TIMEOUT")); err == nil && ms > 0 {
		x.limit = min(x.limit, time.Duration(ms)*time.Millisecond)
	}
	if x.resource, err = resourceOf(get, version); err != nil {
		return nil, err
	}
	x.client, err = client(ofTraces)
	return x, err
}

// endpoint is where traces go: as it stands where it is said of traces, else
// below the one that is said of all.
func endpoint(get func(string) string) (string, error) {
	name, to := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	all := to == ""
	if all {
		name, to = "OTEL_EXPORTER_OTLP_ENDPOINT", get("OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%s is not an http or https address", name) // it may hold a password
	}
	if all {
		u.Path = path.Join("/", u.Path, "v1/traces")
	}
	return u.String(), nil
}

// pairs reads "key=value,key=value", as OTEL_* writes lists, with percent
// escapes.
func pairs(name, list string) ([][2]string, error) {
	var all [][2]string
	for pair := range strings.SplitSeq(list, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !ok || key == "" || err != nil {
			return nil, fmt.Errorf("%s is not a list like key=value,key=value", name)
		}
		all = append(all, [2]string{key, value})
	}
	return all, nil
}

func (x *Exporter) addHeaders(list string) error {
	all, err := pairs("OTEL_EXPORTER_OTLP_HEADERS", list)
	for _, pair := range all {
		x.headers.Set(pair[0], pair[1])
	}
	return err
}

// resourceOf is who sends the spans.
func resourceOf(get func(string) string, version string) ([]Attribute, error) {
	all, err := pairs("OTEL_RESOURCE_ATTRIBUTES", get("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		return nil, err
	}
	set := map[string]string{"service.name": "pikaci", "service.version": version}
	order := []string{"service.name", "service.version"}
	for _, pair := range all {
		if _, known := set[pair[0]]; !known {
			order = append(order, pair[0])
		}
		set[pair[0]] = pair[1]
	}
	if name := get("OTEL_SERVICE_NAME"); name != "" {
		set["service.name"] = name
	}
	var list []Attribute
	for _, key := range order {
		list = append(list, Attribute{key, set[key]})
	}
	return list, nil
}

// client trusts and shows the certificates that are asked for.
func client(get func(string) string) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if file := get("CERTIFICATE"); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(b) {
			return nil, errors.New("OTEL_EXPORTER_OTLP_CERTIFICATE: no certificate in " + file)
		}
	}
	if cert, key := get("CLIENT_CERTIFICATE"), get("CLIENT_KEY"); cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("read OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _KEY: %w", err)
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}
