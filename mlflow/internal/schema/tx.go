package schema

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
)

// SQL is a transaction, connection or database of database/sql.
func SQL(db interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
},
) Tx {
	return sqlTx{db.ExecContext, db.QueryContext}
}

type sqlTx struct {
	exec  func(ctx context.Context, query string, args ...any) (sql.Result, error)
	query func(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (t sqlTx) Exec(ctx context.Context, sql string) error {
	_, err := t.exec(ctx, sql)
	return err
}

func (t sqlTx) Column(ctx context.Context, sql string) ([]string, error) {
	rows, err := t.query(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var values []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}

// Pgx is a transaction of pgx.
func Pgx(tx pgx.Tx) Tx { return pgxTx{tx} }

type pgxTx struct{ tx pgx.Tx }

func (t pgxTx) Exec(ctx context.Context, sql string) error {
	_, err := t.tx.Exec(ctx, sql)
	return err
}

func (t pgxTx) Column(ctx context.Context, sql string) ([]string, error) {
	rows, err := t.tx.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
