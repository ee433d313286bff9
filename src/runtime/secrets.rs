//! Secret values: in memory, in the environment of what needs them, and with the keeper as long
//! as that lives; never in a file and never shown.
//!
//! They are taken out of what is to be written, whatever it is, as JSON: a value beside
//! `"secret": true` is one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::Stack;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "•••";

/// Secret values, by where they stood.
pub(super) type Secrets = BTreeMap<String, Value>;

/// Takes every secret value out of what stands at `place`, leaving a mask.
pub(super) fn take(value: &mut Value, place: &str, secrets: &mut Secrets) {
    visit(value, place, &mut |place, value| {
        let mask = json!([{ "literal": MASK }]);
        secrets.insert(place.to_owned(), std::mem::replace(value, mask));
    });
}

/// Puts secret values back where they were. Those that are not known stay masked.
pub(super) fn put_back(value: &mut Value, place: &str, secrets: &Secrets) {
    visit(value, place, &mut |place, value| {
        if let Some(secret) = secrets.get(place) {
            value.clone_from(secret);
        }
    });
}

/// A stack as it may be shown.
pub(super) fn masked(stack: &Stack) -> serde_json::Result<Stack> {
    let mut value = serde_json::to_value(stack)?;
    take(&mut value, "", &mut Secrets::new());
    serde_json::from_value(value)
}

/// The secret as it is handed on, if it is one that the stack file alone decides.
pub(super) fn literal(secret: &Value) -> Option<&str> {
    match secret.as_array()?.as_slice() {
        [part] => part.get("literal")?.as_str().filter(|text| !text.is_empty()),
        _ => None,
    }
}

fn visit(value: &mut Value, place: &str, each: &mut impl FnMut(&str, &mut Value)) {
    match value {
        Value::Object(members) => {
            let is_secret = members.get("secret") == Some(&Value::Bool(true));
            if let Some(secret) = members.get_mut("value").filter(|value| !value.is_null())
                && is_secret
            {
                each(place, secret);
                return;
            }
            for (key, member) in members {
                visit(member, &format!("{place}/{key}"), each);
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                visit(element, &format!("{place}/{index}"), each);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EnvValue, Service};

    #[test]
    fn secrets_go_and_come_back() {
        let mut service = Service::new("api", "/srv");
        let secret = EnvValue { value: Some("hunter2".into()), secret: true };
        let plain = EnvValue { value: Some("info".into()), secret: false };
        let unset = EnvValue { value: None, secret: true };
        service.env.insert("TOKEN".into(), secret);
        service.env.insert("LOG_LEVEL".into(), plain);
        service.env.insert("OLD_TOKEN".into(), unset);
        let stack = Stack { services: vec![service], ..Stack::default() };

        let mut value = serde_json::to_value(&stack).unwrap();
        let mut secrets = Secrets::new();
        take(&mut value, "stack", &mut secrets);
        let json = value.to_string();
        assert!(!json.contains("hunter2") && json.contains("info"), "{json}");
        assert_eq!(secrets.values().map(literal).collect::<Vec<_>>(), [Some("hunter2")]);
        put_back(&mut value, "stack", &secrets);
        assert_eq!(serde_json::from_value::<Stack>(value).unwrap(), stack);
    }
}
