//! What names are made of. The order is part of the contract: a seed gives the same name for ever.

/// First names.
pub const FIRST: [&str; 32] = [
    "Ada", "Alan", "Amara", "Ana", "Aryeh", "Bela", "Chen", "Dara", "Edsger", "Elif", "Emeka", "Fatima", "Grace",
    "Hana", "Igor", "Ines", "Jonas", "Kamala", "Kenji", "Lars", "Leila", "Linus", "Mateo", "Mira", "Noor", "Olu",
    "Priya", "Rosa", "Sami", "Tala", "Yara", "Zoe",
];

/// Last names.
pub const LAST: [&str; 32] = [
    "Abe", "Adeyemi", "Ali", "Bauer", "Cohen", "Costa", "Diaz", "Dubois", "Eriksen", "Fischer", "Garcia", "Gupta",
    "Haddad", "Hopper", "Ito", "Jansen", "Kaya", "Kim", "Kowalski", "Lovelace", "Mbeki", "Moreau", "Nguyen", "Novak",
    "Okafor", "Patel", "Rossi", "Santos", "Silva", "Turing", "Wang", "Weber",
];
