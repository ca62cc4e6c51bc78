// Package schema knows the database that MLflow keeps its experiments in: which revisions of it a writer
// may write to, and how a new one is made.
//
// MLflow's tables belong to MLflow. It makes them by Alembic migrations and refuses to start on a
// revision other than its own, in both directions: a newer database than the server's MLflow is as wrong
// for it as an older one. So
//
//   - [Revision] reads what is there, and [Check] allows the revisions whose tables for runs were looked
//     at, from MLflow 2.22 to 3.18;
//   - [Create] makes the database of MLflow 3.17.2 on an empty one. MLflow 3.17 opens it as its own, a
//     newer MLflow after the command that it asks for, "mlflow db upgrade URI". An older MLflow cannot, and
//     there is no way back: at start and when asked to upgrade it ends with "Detected out-of-date database
//     schema" (3.13.0) or "Can't locate revision identified by" (2.22.5, 3.1.4), and leaves the database as it was. Who runs an older MLflow lets it make the database first, by
//     starting its server on it once ("mlflow db upgrade" of 2.22 needs tables).
//
// mlflow.txt describes all tables in a form of our own, from which the statements for SQLite and for
// PostgreSQL are made. It was printed from databases that MLflow 3.17.2 had made, by
// mlflow/internal/schema/describe.py; a test compares the two results with each other, object by object. The first
// start of an MLflow on a new database adds the experiment "Default" with ID 0; Create leaves that ID free.
//
// A line that begins in the first column names a table; what is below it belongs to it:
//
//	name type [null] [default X] [= expression]    a column; the last form is a stored one
//	PRIMARY name (columns)
//	UNIQUE name (columns)
//	CHECK name [sqlite] expression                 with "sqlite" only there
//	FOREIGN name (columns) table (columns) actions
//	INDEX name [unique] (columns) [postgres tail]  the tail is only PostgreSQL's
//	FIXED name (columns) 'message'                 a trigger: these columns cannot be updated
//	ROW (values)                                   a row of a new database
//
// The name "-" stands for a constraint without one. Types are sN (text of at most N characters), text, i32,
// i64, f64, bool, blob, json, date, and two that PostgreSQL counts by itself: serial (a sequence of 32 bits)
// and identity (64 bits).
package schema
