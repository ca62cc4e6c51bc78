package neptune

import (
	"context"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

func (p *pass2) artifact(_ context.Context, a wire2.Attribute, _ sender) error {
	p.reader.notef(a.Name, migrate.KindArtifact, migrate.CodeUnreadable, "not read")
	return nil
}
