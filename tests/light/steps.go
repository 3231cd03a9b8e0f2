package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	cmtmath "github.com/cometbft/cometbft/libs/math"
	"github.com/cometbft/cometbft/light"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

// stepsFile is what `steps` reads: pairs of light blocks, as hex of tendermint.types.LightBlock. The first is believed.
type stepsFile struct {
	TrustingPeriod int64      `json:"trusting_period_ms"`
	Numerator      int64      `json:"numerator"`
	Denominator    int64      `json:"denominator"`
	Steps          []stepPair `json:"steps"`
}

type stepPair struct {
	Trusted   string `json:"trusted"`
	Untrusted string `json:"untrusted"`
	NowMs     int64  `json:"now_ms"`
}

// verdict is what light.Verify says of one step, and its reason.
type verdict struct {
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
}

func verifySteps(path string) ([]verdict, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file stepsFile
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	level := cmtmath.Fraction{Numerator: uint64(file.Numerator), Denominator: uint64(file.Denominator)}
	period := time.Duration(file.TrustingPeriod) * time.Millisecond
	verdicts := make([]verdict, len(file.Steps))
	for i, step := range file.Steps {
		trusted, err := decodeLightBlock(step.Trusted)
		if err != nil {
			return nil, fmt.Errorf("step %d: the believed block: %w", i, err)
		}
		verdicts[i] = judge(trusted, step.Untrusted, period, time.UnixMilli(step.NowMs), level)
	}
	return verdicts, nil
}

func decodeLightBlock(text string) (*types.LightBlock, error) {
	data, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	var message cmtproto.LightBlock
	if err := message.Unmarshal(data); err != nil {
		return nil, err
	}
	return types.LightBlockFromProto(&message)
}

// judge calls a block that does not decode invalid, as a client would that was sent it.
func judge(trusted *types.LightBlock, text string, period time.Duration, now time.Time, level cmtmath.Fraction) verdict {
	untrusted, err := decodeLightBlock(text)
	if err == nil {
		err = light.Verify(trusted.SignedHeader, trusted.ValidatorSet, untrusted.SignedHeader, untrusted.ValidatorSet,
			period, now, maxClockDrift, level)
	}
	var expired light.ErrOldHeaderExpired
	var untrustworthy light.ErrNewValSetCantBeTrusted
	switch {
	case err == nil:
		return verdict{"SUCCESS", ""}
	case errors.As(err, &expired):
		return verdict{"EXPIRED", err.Error()}
	case errors.As(err, &untrustworthy):
		return verdict{"NOT_ENOUGH_TRUST", err.Error()}
	default:
		return verdict{"INVALID", err.Error()}
	}
}
