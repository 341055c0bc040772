//! JSON as it is written, not as it is meant: names and scalars are bytes, and may be wrong.

use crate::dice::Dice;

#[derive(Clone)]
pub(crate) enum Json {
    /// The bytes of a scalar, or of anything.
    Leaf(Vec<u8>),
    Array(Vec<Json>),
    /// The names with their quotation marks.
    Object(Vec<(Vec<u8>, Json)>),
}

impl Json {
    pub(crate) fn raw(text: impl Into<Vec<u8>>) -> Self {
        Self::Leaf(text.into())
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::Leaf(quoted(text))
    }

    pub(crate) fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        let members = members.into_iter();
        Self::Object(members.map(|(name, it)| (quoted(name), it)).collect())
    }

    /// Adds a member to an object.
    pub(crate) fn with(mut self, name: &str, it: Self) -> Self {
        self.members().push((quoted(name), it));
        self
    }

    /// Of an object.
    pub(crate) fn members(&mut self) -> &mut Vec<(Vec<u8>, Self)> {
        match self {
            Self::Object(members) => members,
            _ => panic!("only asked of objects"),
        }
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    pub(crate) fn is_leaf(&self) -> bool {
        matches!(self, Self::Leaf(_))
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Leaf(text) if text.first() == Some(&b'"'))
    }

    /// One of the objects within, this one included; the outer ones, on which somebody decides, more often.
    pub(crate) fn any_object(&mut self, dice: &mut Dice) -> Option<&mut Self> {
        let is_object = |json: &Self| matches!(json, Self::Object(_));
        let count = self.count(is_object);
        let end = if dice.one_in(2) { count.min(3) } else { count };
        (end > 0)
            .then(|| dice.below(end))
            .and_then(|mut place| self.at(&mut place, is_object))
    }

    /// One of the scalars within that are `such`; the inner ones, which may be anything, more often.
    pub(crate) fn any_leaf(
        &mut self,
        dice: &mut Dice,
        such: fn(&Self) -> bool,
    ) -> Option<&mut Self> {
        let count = self.count(such);
        let begin = if dice.one_in(3) {
            0
        } else {
            count.saturating_sub(4)
        };
        (count > 0)
            .then(|| begin + dice.below(count - begin))
            .and_then(|mut place| self.at(&mut place, such))
    }

    fn count(&self, such: fn(&Self) -> bool) -> usize {
        let inner: usize = match self {
            Self::Leaf(_) => 0,
            Self::Array(all) => all.iter().map(|it| it.count(such)).sum(),
            Self::Object(all) => all.iter().map(|(_, it)| it.count(such)).sum(),
        };
        inner + usize::from(such(self))
    }

    fn at(&mut self, place: &mut usize, such: fn(&Self) -> bool) -> Option<&mut Self> {
        if such(self) {
            if *place == 0 {
                return Some(self);
            }
            *place -= 1;
        }
        match self {
            Self::Leaf(_) => None,
            Self::Array(all) => all.iter_mut().find_map(|it| it.at(place, such)),
            Self::Object(all) => all.iter_mut().find_map(|(_, it)| it.at(place, such)),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out, &mut || "");
        out
    }

    /// With this around each token.
    pub(crate) fn spaced(&self, mut space: impl FnMut() -> &'static str) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out, &mut space);
        out
    }

    fn write(&self, out: &mut Vec<u8>, space: &mut impl FnMut() -> &'static str) {
        out.extend_from_slice(space().as_bytes());
        match self {
            Self::Leaf(text) => out.extend_from_slice(text),
            Self::Array(all) => {
                out.push(b'[');
                for (place, it) in all.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    it.write(out, space);
                }
                out.push(b']');
            }
            Self::Object(all) => {
                out.push(b'{');
                for (place, (name, it)) in all.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(space().as_bytes());
                    out.extend_from_slice(name);
                    out.extend_from_slice(space().as_bytes());
                    out.push(b':');
                    it.write(out, space);
                }
                out.push(b'}');
            }
        }
        out.extend_from_slice(space().as_bytes());
    }
}

pub(crate) fn quoted(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).expect("a string can be written")
}
