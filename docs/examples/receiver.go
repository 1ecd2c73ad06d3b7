// A receiver of AgentAuri's webhooks: verifies, answers at once, recognises repeats.
//
//	WEBHOOK_SECRET=whsec_… go run receiver.go 9900
//
// Go's standard library is enough.
package main

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const tolerance = 300 * time.Second

// isGenuine says whether one of the signatures is ours, over exactly these bytes, and not older than five minutes.
func isGenuine(secret string, header http.Header, body []byte) bool {
	id, stamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || id == "" || time.Since(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	kind, text, _ := strings.Cut(secret, "_")
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	signed := append([]byte(id+"."+stamp+"."), body...)
	for _, one := range strings.Split(header.Get("webhook-signature"), " ") {
		version, text, _ := strings.Cut(one, ",")
		signature, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		if kind == "whsec" && version == "v1" {
			mac := hmac.New(sha256.New, key)
			mac.Write(signed)
			if hmac.Equal(mac.Sum(nil), signature) {
				return true
			}
		}
		if kind == "whpk" && version == "v1a" && len(key) == ed25519.PublicKeySize {
			if ed25519.Verify(ed25519.PublicKey(key), signed, signature) {
				return true
			}
		}
	}
	return false
}

func main() {
	var seen sync.Map // in a real receiver: a unique column in your database
	http.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(writer, request.Body, 1<<20))
		if err != nil || !isGenuine(os.Getenv("WEBHOOK_SECRET"), request.Header, body) {
			writer.WriteHeader(http.StatusUnauthorized)
			return
		}
		writer.WriteHeader(http.StatusNoContent) // whatever takes long comes after the answer
		if _, known := seen.LoadOrStore(request.Header.Get("webhook-id"), true); !known {
			var delivery struct{ Type string }
			if json.Unmarshal(body, &delivery) == nil {
				fmt.Println(delivery.Type)
			}
		}
	})
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
