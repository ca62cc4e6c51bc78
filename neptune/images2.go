package neptune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"path"
	"slices"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

const (
	// imagesAtOnce is how many images are got at the same time, and how many a chunk has: what the server says
	// of an image's type comes with its bytes, and these are kept until the receiver asks for them.
	imagesAtOnce = 8
	// maxKeptImage is the largest image that is kept; larger ones are asked for again.
	maxKeptImage = 512 << 10
	// maxLostImages ends a series of which so many images in a row cannot be had: a count can be any number.
	maxLostImages = 10_000
	// maxImageTexts bounds the bytes of names and descriptions of one series.
	maxImageTexts = 64 << 20
)

// image2 is one image of a series.
type image2 struct {
	index             int64
	step              migrate.Step
	time              int64
	name, description string
}

// images sends an image series: bytes by index, and steps, times, names and descriptions from the series'
// channel. Where that says nothing, the index is the step, as it is in the official tool.
func (p *pass2) images(ctx context.Context, a wire2.Attribute, send sender) error {
	r := p.reader
	count, err := r.imageCount(ctx, a.Name)
	if err != nil {
		return err
	}
	switch {
	case count == 0 && a.HasLast:
		r.notef(a.Name, migrate.KindFileSeries, migrate.CodeMissing, "the server says that it has images but gives none")
		return nil
	case count == 0:
		r.notef(a.Name, migrate.KindFileSeries, migrate.CodeDetail, "a series without points")
		return nil
	}
	all, err := r.channel(ctx, a, count)
	if err != nil {
		if !passes(err) {
			return err
		}
		r.notef(a.Name, migrate.KindFileSeries, migrate.CodeSuspect,
			"the steps of its images are their numbers, without times, names and descriptions: %v", err)
	}
	lost := 0
	for lo := int64(0); lo < count; lo += imagesAtOnce {
		batch := make([]image2, min(imagesAtOnce, count-lo))
		for i := range batch {
			if n := lo + int64(i); all != nil {
				batch[i] = all[n]
			} else {
				batch[i] = image2{index: n, step: migrate.Step(n) * migrate.StepUnit, time: migrate.NoTime}
			}
		}
		c, had, err := r.imageChunk(ctx, a.Name, batch)
		if err != nil {
			return err
		}
		if lost += len(batch); had {
			lost = 0
		}
		if lost >= maxLostImages {
			r.notef(a.Name, migrate.KindFileSeries, migrate.CodeMissing,
				"the server counts %d images, and gives none of %d from number %d on", count, lost, lo+int64(len(batch)-lost))
			return nil
		}
		if !send(c) {
			return errEnough
		}
	}
	return nil
}

// maxImages is the largest number of images of which the numbers are steps.
const maxImages = 1 << 40

// imageCount asks how many images a series has: GET /api/leaderboard/v1/attributes/series/image, as the
// Python client 1.14 does.
func (r *reader2) imageCount(ctx context.Context, attr string) (count int64, err error) {
	query, err := r.of(ctx, attr)
	if err != nil {
		return 0, err
	}
	query.Set("limit", "1")
	query.Set("offset", "0")
	err = r.source.get(ctx, fmt.Sprintf("count the images of %q of %s", attr, r.run), "/api/leaderboard/v1/attributes/series/image", query,
		func(b []byte) (err error) {
			count, err = wire2.ImageCount(b)
			if count > maxImages {
				err = fmt.Errorf("%d images cannot be", count)
			}
			return err
		})
	return count, err
}

// errChannel is in errors about a channel that does not say what is needed.
var errChannel = fmt.Errorf("its channel does not tell them; %w", migrate.ErrCorrupt)

// channel gives all images of a series in the order of their steps: GET
// /api/leaderboard/v1/channels/{channelId}/values, which is in the API's description of August 2023, and which no
// client is known to use.
func (r *reader2) channel(ctx context.Context, a wire2.Attribute, count int64) ([]image2, error) {
	if a.Channel == "" {
		return nil, errChannel
	}
	var all []image2
	texts := 0
	for int64(len(all)) < count {
		page, total, err := r.channelPage(ctx, a, len(all))
		switch {
		case err != nil:
			return nil, err
		case total >= 0 && total != count:
			return nil, fmt.Errorf("its channel has %d, the series %d images: %w", total, count, errChannel)
		case len(page) == 0:
			return nil, fmt.Errorf("its channel ends after %d of %d images: %w", len(all), count, errChannel)
		}
		for _, in := range page[:min(len(page), int(count)-len(all))] {
			image, err := r.image(a.Name, int64(len(all)), in)
			if err != nil {
				return nil, err
			}
			if texts += len(image.name) + len(image.description); texts > maxImageTexts {
				return nil, fmt.Errorf("its names and descriptions are longer than %d MB: %w", maxImageTexts>>20, errChannel)
			}
			all = append(all, image)
		}
	}
	slices.SortStableFunc(all, func(a, b image2) int { return cmp.Compare(a.step, b.step) })
	r.compareLast(a, all)
	return all, nil
}

// compareLast looks whether what the channel tells are steps: one of them must be the last step of the series. Images may
// have been logged since that was said.
func (r *reader2) compareLast(a wire2.Attribute, all []image2) {
	var f wire2.Float
	if a.LastStep == "" || f.UnmarshalJSON([]byte(a.LastStep)) != nil {
		return
	}
	last, ok := migrate.StepOf(float64(f))
	_, found := slices.BinarySearchFunc(all, last, func(i image2, step migrate.Step) int { return cmp.Compare(i.step, step) })
	if ok && !found {
		r.notef(a.Name, migrate.KindFileSeries, migrate.CodeSuspect,
			"its images are at the steps %s to %s by its channel, and its last one at %s by the series itself", all[0].step, all[len(all)-1].step, last)
	}
}

func (r *reader2) channelPage(ctx context.Context, a wire2.Attribute, offset int) (page []wire2.Image, total int64, err error) {
	err = r.source.get(ctx, fmt.Sprintf("read the steps of %q of %s", a.Name, r.run),
		"/api/leaderboard/v1/channels/"+url.PathEscape(a.Channel)+"/values",
		url.Values{"limit": {strconv.Itoa(seriesPage)}, "offset": {strconv.Itoa(offset)}},
		func(b []byte) (err error) {
			page, total, err = wire2.Images(b)
			return err
		})
	return page, total, err
}

// image takes what a channel says of one image.
func (r *reader2) image(attr string, index int64, in wire2.Image) (image2, error) {
	if in.Step == nil {
		return image2{}, fmt.Errorf("an image has no step: %w", errChannel)
	}
	step, ok := migrate.StepOf(*in.Step)
	if !ok {
		return image2{}, fmt.Errorf("the step %v is too large for the archive: %w", *in.Step, errChannel)
	}
	image := image2{
		index: index, step: step, time: migrate.NoTime,
		name:        r.text(attr, migrate.KindFileSeries, in.Name),
		description: r.text(attr, migrate.KindFileSeries, in.Description),
	}
	if in.Time != nil {
		image.time = *in.Time
	}
	return image, nil
}

// imageChunk gets images side by side, so that their types and sizes are known, and keeps the small ones.
func (r *reader2) imageChunk(ctx context.Context, attr string, batch []image2) (c migrate.Chunk, had bool, err error) {
	refs := make(migrate.Files, len(batch))
	c = migrate.Chunk{Path: attr, Kind: migrate.KindFileSeries, Values: refs}
	var some atomic.Bool
	group, within := errgroup.WithContext(ctx)
	for i, image := range batch {
		c.Steps, c.Times = append(c.Steps, image.step), append(c.Times, image.time)
		group.Go(func() (err error) {
			var there bool
			if refs[i], there, err = r.imageRef(within, attr, image); there {
				some.Store(true)
			}
			return err
		})
	}
	err = group.Wait()
	return c, some.Load(), err
}

// imageRef describes one image. That it cannot be got is found out again when it is opened.
func (r *reader2) imageRef(ctx context.Context, attr string, image image2) (ref migrate.FileRef, there bool, err error) {
	ref = migrate.FileRef{
		Key:  joinKey(keyImage, strconv.FormatInt(image.index, 10), attr),
		Name: image.name, Description: image.description, Size: -1,
	}
	err = r.peek(ctx, &ref, attr, image.index)
	if err != nil && !passes(err) {
		return ref, false, err
	}
	if ref.Name == "" {
		ref.Name = path.Base(attr) + extensions[ref.MIME]
	}
	return ref, err == nil, nil
}

// peek begins to read an image, and keeps it if it is small.
func (r *reader2) peek(ctx context.Context, ref *migrate.FileRef, attr string, index int64) error {
	select {
	case r.source.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.source.slots }()
	body, err := r.fetchImage(ctx, attr, index)
	if err != nil {
		return err
	}
	defer body.Close()
	ref.MIME, ref.Size = body.mime(), body.size
	most := body.size
	if most < 0 {
		most = maxKeptImage
	}
	if most > maxKeptImage || r.handed.full(int(most)) {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(body, maxKeptImage+1))
	if err != nil || len(b) > maxKeptImage {
		return err
	}
	ref.Size = int64(len(b))
	r.handed.keep(ref.Key, b)
	return nil
}

// openImage opens an image again.
func (r *reader2) openImage(ctx context.Context, parts []string, _ migrate.FileRef) (io.ReadCloser, error) {
	index, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return nil, errNoFile
	}
	return r.fetchImage(ctx, parts[1], index)
}

// fetchImage opens an image: GET /api/leaderboard/v1/attributes/series/image/single, as the Python client 1.14
// does.
func (r *reader2) fetchImage(ctx context.Context, attr string, index int64) (*download, error) {
	query, err := r.of(ctx, attr)
	if err != nil {
		return nil, err
	}
	query.Set("index", strconv.FormatInt(index, 10))
	return r.fetch(ctx, fmt.Sprintf("%s[%d]", attr, index), "/api/leaderboard/v1/attributes/series/image/single", query, -1, "")
}

// mime is the media type that the last answer named, without its parameters.
func (d *download) mime() string {
	f, ok := d.origin.(*apiFile)
	if !ok {
		return ""
	}
	media, _, err := mime.ParseMediaType(f.kind)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}
	return media
}
