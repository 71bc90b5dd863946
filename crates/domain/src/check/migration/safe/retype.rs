//! A column of another type beside the old one: a trigger writes both, batches fill it, and one short transaction puts it
//! in the old one's place.

use super::super::Dialect;
use super::super::catalog::Relation;
use super::super::lexer::{Kind as Word, Token, tokens};
use super::super::statement::{Column, Constraint, Kind, Rule};
use super::{Run, Way, Writer, backfill, quoted};

const NOT_WRITTEN_DOWN: &str = "a constraint or an index over the column is not known as it was written";

/// A constraint that is added again: table, name, text, and was it valid?
type Again = (String, String, String, bool);

impl Writer<'_> {
    pub(super) fn retype(&mut self, column: &str, text: &str) -> Way<()> {
        let table = self.catalog.get(self.name).filter(|table| table.complete).ok_or("its table is not known")?;
        let old = table.column(column).ok_or("the column is not known")?;
        self.is_plain(table, old)?;
        let (ty, using) = parts(text).ok_or("its new type is not understood")?;
        let short = self.name.rsplit('.').next().unwrap_or(self.name);
        let new = format!("{column}_new");
        // The last by name fires last: it sees what other triggers have made of the row.
        let both = quoted(&format!("zz_{short}_{column}"));
        if table.column(&new).is_some() || both.len() > 63 || text.contains('$') {
            return Err("the name of the new column is taken or too long");
        }
        let default = self.default(old)?;
        let (mut early, mut late) = (vec![], vec![]);
        let again = self.constraints(table, column, &mut early)?;
        let (old_name, new_name, on) = (quoted(column), quoted(&new), self.table.clone());

        let is_last = table.columns.last().is_some_and(|last| last.name == column);
        let order = "-- The new column is the last one: code that names no columns sees another order.\n";
        let order = if is_last { "" } else { order };
        self.step(Run::Together, format!("{order}{} ADD COLUMN {new_name} {ty}", self.prefix));
        let value = using.map_or_else(
            || format!("NEW.{old_name}"),
            |using| format!("(SELECT {using} FROM (SELECT NEW.*) AS {})", quoted(short)),
        );
        self.step(Run::Together, format!("CREATE FUNCTION {both}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n    NEW.{new_name} := {value};\n    RETURN NEW;\nEND $$"));
        self.step(
            Run::Together,
            format!("CREATE TRIGGER {both} BEFORE INSERT OR UPDATE ON {on} FOR EACH ROW EXECUTE FUNCTION {both}()"),
        );
        let value = using.map_or_else(|| old_name.clone(), |using| format!("({using})"));
        self.step(Run::Outside, backfill(&on, &new_name, &value));
        if old.not_null {
            self.not_null(&new)?;
        }
        self.indexes(table, column, &new, &mut late)?;

        self.step(Run::After, format!("DROP TRIGGER {both} ON {on}"));
        self.step(Run::Together, format!("DROP FUNCTION {both}()"));
        for sql in early {
            self.step(Run::Together, sql);
        }
        match default {
            Default::None => {}
            Default::Text(text) => {
                self.alter(Run::Together, &format!("ALTER COLUMN {new_name} SET DEFAULT {text}"));
            }
            Default::Sequence(sequence) => {
                self.alter(Run::Together, &format!("ALTER COLUMN {new_name} SET DEFAULT nextval('{sequence}')"));
                self.step(Run::Together, format!("ALTER SEQUENCE {sequence} OWNED BY {on}.{new_name}"));
            }
        }
        self.alter(Run::Together, &format!("DROP COLUMN {old_name}"));
        self.alter(Run::Together, &format!("RENAME COLUMN {new_name} TO {old_name}"));
        for sql in late {
            self.step(Run::Together, sql);
        }
        for (on, name, text, _) in &again {
            self.step(Run::Together, format!("ALTER TABLE {on} ADD CONSTRAINT {name} {text} NOT VALID"));
        }
        for (on, name, _, _) in again.iter().filter(|(_, _, _, valid)| *valid) {
            self.step(Run::After, format!("ALTER TABLE {on} VALIDATE CONSTRAINT {name}"));
        }
        Ok(())
    }

    /// What would be lost with the old column, or is tied to it in a way that is not written again.
    fn is_plain(&self, table: &Relation, old: &Column) -> Way<()> {
        if self.version < 12 {
            return Err("before PostgreSQL 12, SET NOT NULL reads every row all the same");
        }
        if table.kind != Kind::Table || !table.children.is_empty() || !table.parents.is_empty() {
            return Err("the columns of a partitioned or inheriting table change together");
        }
        if old.identity {
            return Err("the sequence of an identity column goes with the column");
        }
        if table.columns.iter().any(|column| column.generated.is_some()) {
            return Err("a generated column of the table may read it");
        }
        if table.tuned || self.catalog.statistics.values().any(|on| on == self.name) {
            return Err("comments, statistics and privileges of the column would go with it");
        }
        Ok(())
    }

    fn default(&self, old: &Column) -> Way<Default> {
        let Some(words) = old.default.as_deref() else { return Ok(Default::None) };
        if words == "nextval" {
            let sequence = format!("{}_{}_seq", self.name, old.name);
            let is_known = self.catalog.is(&sequence, Kind::Sequence) && sequence == quoted(&sequence);
            return if is_known { Ok(Default::Sequence(sequence)) } else { Err("its sequence is not known") };
        }
        let all = tokens(words, Dialect::Postgres);
        let plain = ["null", "true", "false", "current_timestamp"];
        match all.as_slice() {
            [one] if one.kind == Word::Number || plain.iter().any(|word| one.is(word)) => {
                Ok(Default::Text(words.to_owned()))
            }
            // As the server keeps it: of the old type, and cast to the new one.
            [one] if one.kind == Word::Text && !old.ty.array => {
                let own = self.catalog.types.contains_key(&old.ty.base);
                let base = if own { quoted(&old.ty.base) } else { old.ty.base.clone() };
                Ok(Default::Text(format!("{words}::{base}")))
            }
            [one, colons, ty @ ..] if one.kind == Word::Text && colons.is("::") && ty.iter().all(Token::is_name) => {
                let ty: Vec<&str> = ty.iter().map(|token| token.text).collect();
                let ty = if let [one] = ty.as_slice() { quoted(one) } else { ty.join(" ") };
                Ok(Default::Text(format!("{}::{ty}", one.text)))
            }
            [name, open, close] if name.is("now") && open.is("(") && close.is(")") => Ok(Default::Text("now()".into())),
            _ => Err("its DEFAULT is an expression"),
        }
    }

    /// Constraints that go with the old column and come back with the new one; `early` takes away those of other tables.
    fn constraints(&self, table: &Relation, column: &str, early: &mut Vec<String>) -> Way<Vec<Again>> {
        let mut again = vec![];
        for constraint in &table.constraints {
            let own = constraint.columns.iter().any(|one| one == column);
            let checks = matches!(&constraint.rule, Rule::Check(text) if text.split(' ').any(|word| word == column));
            if checks || (own && matches!(constraint.rule, Rule::Foreign(_))) {
                again.push(once_more(&self.table, constraint)?);
            }
        }
        for (other, relation) in &self.catalog.relations {
            for (constraint, to) in relation.foreign_keys().filter(|(_, to)| *to == self.name) {
                let Rule::Foreign(reference) = &constraint.rule else { continue };
                if !reference.columns.is_empty() && !reference.columns.iter().any(|one| one == column) {
                    continue;
                }
                if relation.kind != Kind::Table
                    || other.contains('.')
                    || constraint.columns.iter().any(|one| other == to && one == column)
                {
                    return Err("a foreign key points to it that cannot be added NOT VALID");
                }
                let one = once_more(&quoted(other), constraint)?;
                early.push(format!("ALTER TABLE {} DROP CONSTRAINT {}", one.0, one.1));
                again.push(one);
            }
        }
        Ok(again)
    }

    /// The same indexes over the new column; `late` gives them their names.
    fn indexes(&mut self, table: &Relation, column: &str, new: &str, late: &mut Vec<String>) -> Way<()> {
        for (name, index) in self.catalog.indexes_of(self.name) {
            let reads = |text: &str| tokens(text, Dialect::Postgres).iter().any(|token| is_column(token, column));
            if !index.columns.iter().any(|one| one == column) && !reads(&index.text) && !reads(&index.columns.join(" "))
            {
                continue;
            }
            let beside = format!("{name}_new");
            if name.contains('.') || beside.len() > 63 || self.catalog.indexes.contains_key(&beside) {
                return Err("the name of a new index is taken or too long");
            }
            let (name, beside) = (quoted(name), quoted(&beside));
            let constraint = table.constraints.iter().find(|c| c.name.as_deref() == Some(name.trim_matches('"')));
            let (text, unique) = match constraint {
                Some(constraint) => {
                    let kind = match constraint.rule {
                        Rule::Primary => "PRIMARY KEY",
                        Rule::Unique => "UNIQUE",
                        _ => return Err("EXCLUDE has no way without the lock"),
                    };
                    if ["deferr", "initially", "include", "nulls"]
                        .iter()
                        .any(|w| constraint.text.to_lowercase().contains(w))
                    {
                        return Err(NOT_WRITTEN_DOWN);
                    }
                    late.push(format!("{} ADD CONSTRAINT {name} {kind} USING INDEX {beside}", self.prefix));
                    let columns: Vec<String> =
                        constraint.columns.iter().map(|one| quoted(if one == column { new } else { one })).collect();
                    (format!("({})", columns.join(", ")), "UNIQUE ")
                }
                None if index.text.is_empty() => return Err(NOT_WRITTEN_DOWN),
                None => {
                    late.push(format!("ALTER INDEX {beside} RENAME TO {name}"));
                    (renamed(&index.text, column, new), if index.unique { "UNIQUE " } else { "" })
                }
            };
            let sql = format!("CREATE {unique}INDEX CONCURRENTLY {beside} ON {} {text}", self.table);
            self.step(Run::Outside, sql);
        }
        Ok(())
    }
}

enum Default {
    None,
    Text(String),
    Sequence(String),
}

fn once_more(on: &str, constraint: &Constraint) -> Way<Again> {
    let name = quoted(constraint.name.as_deref().ok_or(NOT_WRITTEN_DOWN)?);
    let mut text = constraint.text.trim_end();
    if let Some(at) =
        text.len().checked_sub(9).filter(|at| text.get(*at..).is_some_and(|end| end.eq_ignore_ascii_case("not valid")))
    {
        text = text[..at].trim_end();
    }
    if text.is_empty() || text.to_lowercase().contains("not valid") || !constraint.enforced {
        return Err(NOT_WRITTEN_DOWN);
    }
    let columns: Vec<String> = constraint.columns.iter().map(|column| quoted(column)).collect();
    let beside_a_column = text.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("references"));
    let text = if beside_a_column { format!("FOREIGN KEY ({}) {text}", columns.join(", ")) } else { text.to_owned() };
    Ok((on.to_owned(), name, text, constraint.valid))
}

fn is_column(token: &Token<'_>, column: &str) -> bool {
    token.is_name() && token.name() == column
}

/// With another name for a column, wherever it is read.
fn renamed(text: &str, from: &str, to: &str) -> String {
    let all = tokens(text, Dialect::Postgres);
    let (mut out, mut at) = (String::new(), 0);
    for (n, token) in all.iter().enumerate() {
        if is_column(token, from) && !all.get(n + 1).is_some_and(|next| next.is("(")) {
            out.push_str(&text[at..token.at]);
            out.push_str(&quoted(to));
            at = token.end();
        }
    }
    out + &text[at..]
}

/// Of `ALTER COLUMN c TYPE t COLLATE l USING e`: type with collation, and expression.
fn parts(text: &str) -> Option<(&str, Option<&str>)> {
    let all = tokens(text, Dialect::Postgres);
    let name = if all.get(1)?.is("column") { 2 } else { 1 };
    let ty = if all.get(name + 1)?.is("set") { name + 3 } else { name + 1 };
    let from = all.get(ty).filter(|token| token.is("type")).and(all.get(ty + 1))?.at;
    match all.iter().skip(ty + 2).find(|token| token.is("using")) {
        Some(using) => Some((text[from..using.at].trim_end(), Some(text[using.end()..].trim()))),
        None => Some((text[from..].trim_end(), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_has_its_type_and_its_expression() {
        assert_eq!(parts("ALTER a TYPE bigint"), Some(("bigint", None)));
        assert_eq!(
            parts("ALTER COLUMN \"type\" SET DATA TYPE numeric(9, 2) USING (\"type\" / 100)"),
            Some(("numeric(9, 2)", Some("(\"type\" / 100)")))
        );
        assert_eq!(
            parts("ALTER type TYPE text COLLATE \"C\" USING type::text"),
            Some(("text COLLATE \"C\"", Some("type::text")))
        );
        assert_eq!(parts("ALTER a DROP DEFAULT"), None);
    }

    #[test]
    fn a_column_is_renamed_where_it_is_read_and_nowhere_else() {
        let text = "USING btree (total, lower(note), total(note)) WHERE total > 3 AND note <> 'total'";
        let expected = "USING btree (total_new, lower(note), total(note)) WHERE total_new > 3 AND note <> 'total'";
        assert_eq!(renamed(text, "total", "total_new"), expected);
    }
}
