// Command light asks CometBFT's own code about what Fujie made.
//
//	light verify FILE    verify a chain of light blocks; FILE is JSON, see chainFile
//	light steps FILE     print what is said of each pair of light blocks; FILE is JSON, see stepsFile
//	light vectors SEED   print hashes and signed bytes for inputs drawn from SEED, as JSON
//
// verify exits with 0 and prints a count of each kind of verification, or with 1 and the reason on standard error.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("usage: light verify FILE | light steps FILE | light vectors SEED")
	}
	switch arguments[0] {
	case "verify":
		counts, err := verifyFile(arguments[1])
		if err != nil {
			return err
		}
		return printJSON(counts)
	case "steps":
		verdicts, err := verifySteps(arguments[1])
		if err != nil {
			return err
		}
		return printJSON(verdicts)
	case "vectors":
		seed, err := strconv.ParseInt(arguments[1], 10, 64)
		if err != nil {
			return fmt.Errorf("seed: %w", err)
		}
		vectors, err := makeVectors(seed)
		if err != nil {
			return err
		}
		return printJSON(vectors)
	default:
		return fmt.Errorf("unknown command %q", arguments[0])
	}
}

func printJSON(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	return encoder.Encode(value)
}
