//! What a name was probably meant to be.

/// The one of `known` that `name` was probably meant to be: what it is the beginning of, else what
/// a few slips away from it. Large and small letters are the same.
///
/// ```
/// use stackrun::model::nearest;
///
/// assert_eq!(nearest("stat", ["start", "status"]), Some("status"));
/// assert_eq!(nearest("servce", ["service", "task"]), Some("service"));
/// assert_eq!(nearest("web", ["api", "db"]), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let length = lower.chars().count();
    let score = |candidate: &str| {
        let other = candidate.to_lowercase();
        let distance = strsim::damerau_levenshtein(&lower, &other);
        let begins = length > 2 && other.starts_with(&lower);
        let longest = length.max(other.chars().count());
        // One slip in three letters is a near miss; more is another word.
        // A name of one letter has no near misses.
        let near = begins || (distance * 3 <= longest.max(3) && distance < longest);
        near.then_some((!begins, distance))
    };
    let scored = known.into_iter().filter(|candidate| *candidate != name);
    scored.filter_map(|candidate| Some((score(candidate)?, candidate))).min().map(|(_, near)| near)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_misses() {
        assert_eq!(nearest("prot", ["port", "run"]), Some("port"));
        assert_eq!(nearest("Postgres", ["postgres"]), Some("postgres"));
        assert_eq!(nearest("x", ["a", "b"]), None);
        assert_eq!(nearest("a", ["api"]), None);
    }

    #[test]
    fn what_it_begins_is_nearer_than_a_slip() {
        assert_eq!(nearest("tim", ["trim", "timeout"]), Some("timeout"));
        assert_eq!(nearest("Res", ["rest-api", "restart"]), Some("restart"));
    }
}
