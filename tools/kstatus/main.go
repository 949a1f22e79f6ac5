// Command kstatus reads Kubernetes objects as JSON, one after the other, and prints what kstatus makes of each: its
// status, a tab, and its message.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	if err := judge(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(in)
	for {
		var fields map[string]any
		if err := decoder.Decode(&fields); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the input is not a sequence of JSON objects: %w", err)
		}
		// Integers as int64: kstatus reads generations so, and the decoder makes every number a float.
		text, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(text); err != nil {
			return fmt.Errorf("the input holds something that is no Kubernetes object: %w", err)
		}
		result, err := status.Compute(object)
		if err != nil {
			return fmt.Errorf("kstatus cannot judge %s: %w", object.GetName(), err)
		}
		if _, err := fmt.Fprintf(out, "%s\t%s\n", result.Status, result.Message); err != nil {
			return err
		}
	}
}
