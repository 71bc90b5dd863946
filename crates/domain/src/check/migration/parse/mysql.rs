//! What only MySQL and MariaDB write after ALTER TABLE.

use super::super::cursor::Cursor;
use super::super::statement::Action;
use super::table;

/// Was it one of these? None where it is not understood.
pub(super) fn action(c: &mut Cursor<'_, '_>, out: &mut Vec<Action>) -> Option<bool> {
    let mut at = c.clone();
    if at.take("add") {
        if at.sees("constraint")
            && at.ahead(1).is_some_and(|t| !t.is("unique"))
            && !at.ahead(2).is_some_and(|t| t.is("unique"))
        {
            return Some(false);
        }
        if let Some(key) = table::mysql_key(&mut at) {
            *c = at;
            out.push(key);
            return Some(true);
        }
        if at.sees_constraint() {
            return Some(false);
        }
        at.take("column");
        let if_not_exists = at.if_not_exists();
        if at.sees("(") {
            return Some(false);
        }
        let mut column = at.column()?;
        let keys = table::unique_keys(&mut column);
        out.push(Action::AddColumn { column: Box::new(column), if_not_exists });
        out.extend(keys);
        *c = at;
        return Some(true);
    }
    let action = if c.take("modify") {
        c.take("column");
        c.if_exists();
        table::modify(c, None)?
    } else if c.take("change") {
        c.take("column");
        c.if_exists();
        let from = c.word()?;
        table::modify(c, Some(from))?
    } else if c.take("drop primary key") {
        Action::DropPrimary
    } else if c.take("drop foreign key") {
        c.if_exists();
        Action::DropForeign { name: c.word()? }
    } else if c.take("drop check") {
        Action::DropCheck { name: c.word()? }
    } else if c.take("drop index") || c.take("drop key") {
        c.if_exists();
        Action::DropIndex { name: c.word()? }
    } else if c.take("rename index") || c.take("rename key") {
        let from = c.word()?;
        c.expect("to")?;
        Action::RenameIndex { from, to: c.word()? }
    } else if c.sees("alter index") || c.sees("alter check") || c.sees("alter constraint") {
        c.skip_all();
        Action::TableOption("visibility")
    } else if c.take("convert to character set") || c.take("convert to charset") {
        let charset = c.word()?;
        c.skip_all();
        Action::Convert { charset }
    } else if c.take("algorithm") {
        c.take("=");
        Action::Algorithm(c.word()?.to_uppercase())
    } else if c.take("lock") {
        c.take("=");
        Action::Lock(c.word()?.to_uppercase())
    } else if c.take("force") {
        Action::Rebuild("force")
    } else if c.sees("engine")
        || c.sees("row_format")
        || c.sees("key_block_size")
        || c.sees("compression")
        || c.sees("encryption")
    {
        let what = if c.sees("engine") { "engine" } else { "row format" };
        options(c, out);
        Action::Rebuild(what)
    } else if c.sees("auto_increment") {
        options(c, out);
        Action::AutoIncrement
    } else if c.sees("default character set")
        || c.sees("character set")
        || c.sees("default charset")
        || c.sees("charset")
        || c.sees("default collate")
        || c.sees("collate")
    {
        options(c, out);
        Action::TableOption("default charset")
    } else if c.sees("comment") || c.sees("stats_persistent") || c.sees("max_rows") || c.sees("min_rows") {
        options(c, out);
        Action::TableOption("comment")
    } else if c.sees("order by") {
        c.skip_all();
        Action::Rebuild("order by")
    } else if c.take("disable keys") || c.take("enable keys") {
        Action::TableOption("keys")
    } else if c.sees("discard tablespace") || c.sees("import tablespace") {
        c.skip_all();
        Action::Partitions("tablespace")
    } else {
        return Some(false);
    };
    out.push(action);
    Some(true)
}

/// Options of a table follow each other without a comma: `ENGINE=InnoDB ROW_FORMAT=DYNAMIC`.
fn options(c: &mut Cursor<'_, '_>, out: &mut Vec<Action>) {
    for rest in c.rest() {
        if rest.is("engine") || rest.is("row_format") {
            out.push(Action::Rebuild("row format"));
        }
    }
    c.skip_all();
}
