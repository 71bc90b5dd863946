//! What an action of ALTER TABLE leaves in its own table.

use super::catalog::Relation;
use super::statement::{Action, Column, Constraint, Position, Rule, Type};

impl Relation {
    pub fn alter(&mut self, action: &Action) {
        match action {
            Action::DropColumn { name, .. } => {
                self.columns.retain(|column| column.name != *name);
                let mentions = |c: &Constraint| match &c.rule {
                    Rule::Check(text) => text.split(' ').any(|word| word == name),
                    _ => c.columns.contains(name),
                };
                self.constraints.retain(|constraint| !mentions(constraint));
            }
            Action::RenameConstraint { from, to } => {
                for constraint in self.constraints.iter_mut().filter(|c| c.name.as_ref() == Some(from)) {
                    constraint.name = Some(to.clone());
                }
            }
            Action::Type { column, ty, collation, .. } => {
                self.set_type(column, ty);
                if let Some(column) = self.column_mut(column) {
                    column.collation.clone_from(collation);
                }
            }
            Action::SetDefault { column, default } => self.with(column, |c| c.default = Some(default.clone())),
            Action::DropDefault { column } => self.with(column, |c| c.default = None),
            Action::SetNotNull { column } => self.with(column, |c| c.not_null = true),
            Action::DropNotNull { column } => self.with(column, |c| c.not_null = false),
            Action::AddIdentity { column } => self.with(column, |c| c.identity = true),
            Action::DropIdentity { column } => self.with(column, |c| c.identity = false),
            Action::DropExpression { column } => self.with(column, |c| c.generated = None),
            Action::DropConstraint { name, .. } | Action::DropForeign { name } | Action::DropCheck { name } => {
                self.constraints.retain(|constraint| constraint.name.as_ref() != Some(name));
            }
            Action::Options("statistics") | Action::Metadata("storage") => self.tuned = true,
            Action::DropPrimary => self.constraints.retain(|constraint| constraint.rule != Rule::Primary),
            Action::Validate { name } => {
                let mut checked = vec![];
                for constraint in self.constraints.iter_mut().filter(|c| c.name.as_ref() == Some(name)) {
                    constraint.valid = true;
                    if constraint.rule == Rule::NotNull {
                        checked.extend(constraint.columns.iter().cloned());
                    }
                }
                for column in checked {
                    self.with(&column, |c| c.not_null = true);
                }
            }
            Action::Attach { partition, .. } => self.children.push(partition.clone()),
            Action::Detach { partition, .. } => {
                self.children.retain(|child| child != partition);
                if self.default_partition.as_ref() == Some(partition) {
                    self.default_partition = None;
                }
            }
            Action::Modify { column, .. } => {
                let new = column.column.clone();
                if let Some(at) = self.columns.iter().position(|old| old.name == new.name) {
                    if column.position.is_some() {
                        self.columns.remove(at);
                        place(&mut self.columns, new, column.position.as_ref());
                    } else {
                        self.columns[at] = new;
                    }
                } else {
                    self.columns.push(new);
                }
            }
            _ => {}
        }
    }

    fn set_type(&mut self, column: &str, ty: &Type) {
        if self.column(column).is_none() {
            self.columns.push(Column { name: column.to_owned(), ..Column::default() });
        }
        self.with(column, |c| c.ty = ty.clone());
    }

    fn with(&mut self, column: &str, change: impl FnOnce(&mut Column)) {
        if let Some(column) = self.column_mut(column) {
            change(column);
        }
    }
}

pub fn place(columns: &mut Vec<Column>, column: Column, position: Option<&Position>) {
    let at = match position {
        Some(Position::First) => 0,
        Some(Position::After(name)) => columns.iter().position(|c| c.name == *name).map_or(columns.len(), |at| at + 1),
        None => columns.len(),
    };
    columns.insert(at, column);
}
