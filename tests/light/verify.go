package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	"github.com/cometbft/cometbft/light/store/db"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

const maxClockDrift = 10 * time.Second

// chainFile is what `verify` reads: light blocks by ascending height without a gap, as hex of tendermint.types.LightBlock.
type chainFile struct {
	ChainID        string   `json:"chain_id"`
	NowMs          int64    `json:"now_ms"`
	TrustingPeriod int64    `json:"trusting_period_ms"`
	LightBlocks    []string `json:"light_blocks"`
}

// counts says how many verifications of each kind passed. Distant ones that need a header in between are counted apart.
type counts struct {
	LightBlocks   int   `json:"light_blocks"`
	Adjacent      int   `json:"adjacent"`
	NonAdjacent   int   `json:"non_adjacent"`
	NeedsBetween  int   `json:"needs_header_between"`
	SequentialTip int64 `json:"sequential_client_height"`
	SkippingTip   int64 `json:"skipping_client_height"`
}

func verifyFile(path string) (*counts, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file chainFile
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	blocks, err := decodeBlocks(file.LightBlocks)
	if err != nil {
		return nil, err
	}
	if len(blocks) == 0 {
		return nil, errors.New("no light blocks")
	}
	now := time.UnixMilli(file.NowMs)
	period := time.Duration(file.TrustingPeriod) * time.Millisecond
	result := &counts{LightBlocks: len(blocks)}
	if err := verifyPairs(file.ChainID, blocks, period, now, result); err != nil {
		return nil, err
	}
	if result.SequentialTip, err = runClient(file.ChainID, blocks, period, now, light.SequentialVerification()); err != nil {
		return nil, fmt.Errorf("sequential client: %w", err)
	}
	skipping := light.SkippingVerification(light.DefaultTrustLevel)
	if result.SkippingTip, err = runClient(file.ChainID, blocks, period, now, skipping); err != nil {
		return nil, fmt.Errorf("skipping client: %w", err)
	}
	return result, nil
}

func decodeBlocks(encoded []string) ([]*types.LightBlock, error) {
	blocks := make([]*types.LightBlock, len(encoded))
	for i, text := range encoded {
		data, err := hex.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("light block %d: %w", i, err)
		}
		var message cmtproto.LightBlock
		if err := message.Unmarshal(data); err != nil {
			return nil, fmt.Errorf("light block %d: %w", i, err)
		}
		if blocks[i], err = types.LightBlockFromProto(&message); err != nil {
			return nil, fmt.Errorf("light block %d: %w", i, err)
		}
		again, err := blocks[i].ToProto()
		if err != nil {
			return nil, fmt.Errorf("light block %d: %w", i, err)
		}
		if bytesAgain, err := again.Marshal(); err != nil || !bytes.Equal(bytesAgain, data) {
			return nil, fmt.Errorf("light block %d: CometBFT encodes it differently (%v)", i, err)
		}
	}
	return blocks, nil
}

// verifyPairs checks every block by itself, every neighbour by VerifyAdjacent and every more distant pair by VerifyNonAdjacent.
func verifyPairs(chainID string, blocks []*types.LightBlock, period time.Duration, now time.Time, result *counts) error {
	for i, block := range blocks {
		if err := block.ValidateBasic(chainID); err != nil {
			return fmt.Errorf("light block %d: %w", i, err)
		}
		err := block.ValidatorSet.VerifyCommitLightAllSignatures(chainID, block.Commit.BlockID, block.Height, block.Commit)
		if err != nil {
			return fmt.Errorf("light block %d: %w", i, err)
		}
	}
	for i, old := range blocks {
		for j := i + 1; j < len(blocks); j++ {
			recent := blocks[j]
			if recent.Height == old.Height+1 {
				err := light.VerifyAdjacent(old.SignedHeader, recent.SignedHeader, recent.ValidatorSet, period, now, maxClockDrift)
				if err != nil {
					return fmt.Errorf("adjacent %d to %d: %w", old.Height, recent.Height, err)
				}
				result.Adjacent++
				continue
			}
			err := light.VerifyNonAdjacent(old.SignedHeader, old.ValidatorSet, recent.SignedHeader, recent.ValidatorSet,
				period, now, maxClockDrift, light.DefaultTrustLevel)
			var untrusted light.ErrNewValSetCantBeTrusted
			switch {
			case err == nil:
				result.NonAdjacent++
			case errors.As(err, &untrusted):
				result.NeedsBetween++
			default:
				return fmt.Errorf("non-adjacent %d to %d: %w", old.Height, recent.Height, err)
			}
		}
	}
	return nil
}

// runClient lets a real light client, which trusts the first block, verify the last one against two providers.
func runClient(
	chainID string, blocks []*types.LightBlock, period time.Duration, now time.Time, mode light.Option,
) (int64, error) {
	first, last := blocks[0], blocks[len(blocks)-1]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := light.NewClient(
		ctx, chainID, light.TrustOptions{Period: period, Height: first.Height, Hash: first.Hash()},
		listProvider{chainID, blocks}, []provider.Provider{listProvider{chainID, blocks}},
		db.New(dbm.NewMemDB(), chainID), mode,
	)
	if err != nil {
		return 0, err
	}
	verified, err := client.VerifyLightBlockAtHeight(ctx, last.Height, now)
	if err != nil {
		return 0, err
	}
	return verified.Height, nil
}

// listProvider serves light blocks from a list. It implements provider.Provider.
type listProvider struct {
	chainID string
	blocks  []*types.LightBlock
}

func (p listProvider) ChainID() string { return p.chainID }

func (p listProvider) LightBlock(_ context.Context, height int64) (*types.LightBlock, error) {
	last := p.blocks[len(p.blocks)-1]
	if height == 0 {
		return last, nil
	}
	if height > last.Height {
		return nil, provider.ErrHeightTooHigh
	}
	for _, block := range p.blocks {
		if block.Height == height {
			return block, nil
		}
	}
	return nil, provider.ErrLightBlockNotFound
}

func (p listProvider) ReportEvidence(_ context.Context, evidence types.Evidence) error {
	return fmt.Errorf("a single list cannot contradict itself, but the client reports %v", evidence)
}
