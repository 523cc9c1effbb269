// The pushes of benchmarks/apns_fanout.py, sent by Go's own HTTP/2 client over one connection.
// Usage: apns_peer ADDRESS ROOT_PEM CERTIFICATE_PEM KEY_PEM TOPIC SENDS DEPTH
// Prints: accepted, wall seconds, processor seconds.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func spent() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func main() {
	runtime.GOMAXPROCS(1)
	address, topic := os.Args[1], os.Args[5]
	root, err := os.ReadFile(os.Args[2])
	must(err)
	pair, err := tls.LoadX509KeyPair(os.Args[3], os.Args[4])
	must(err)
	sends, err := strconv.Atoi(os.Args[6])
	must(err)
	depth, err := strconv.Atoi(os.Args[7])
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
		ForceAttemptHTTP2: true,
	}}
	push := func(number int) bool {
		request, err := http.NewRequest("POST", fmt.Sprintf("%s/3/device/%064x", address, number), strings.NewReader("{}"))
		must(err)
		request.Header.Set("apns-topic", topic)
		request.Header.Set("apns-priority", "5")
		request.Header.Set("apns-push-type", "background")
		answer, err := client.Do(request)
		if err != nil {
			return false
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		return answer.StatusCode == 200
	}
	push(0)
	var next, accepted int64
	var group sync.WaitGroup
	begun, before := time.Now(), spent()
	for worker := 0; worker < depth; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for number := atomic.AddInt64(&next, 1); number <= int64(sends); number = atomic.AddInt64(&next, 1) {
				if push(int(number)) {
					atomic.AddInt64(&accepted, 1)
				}
			}
		}()
	}
	group.Wait()
	fmt.Println(accepted, time.Since(begun).Seconds(), spent()-before)
}
