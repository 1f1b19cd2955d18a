"""Our own vocabulary: the values that the right-hand side of every data entity mapping chooses from.

Each table maps the stored value to the label a registrar reads, in the order shown.
"""

from __future__ import annotations

NOT_STATED = "not_stated"
"""Our value for a code that says nothing was stated: it counts as blank, and is no unknown code."""

GRADE_LEVELS: dict[str, str] = {
    "IT": "Infant/toddler",
    "PR": "Preschool",
    "PK": "Pre-kindergarten",
    "TK": "Transitional kindergarten",
    "K": "Kindergarten",
    **{str(n): f"Grade {n}" for n in range(1, 13)},
    "13": "Grade 13",
    "PS": "Postsecondary",
    "UG": "Ungraded",
    "AE": "Adult education",
}
GENDERS: dict[str, str] = {"F": "Female", "M": "Male", "X": "Nonbinary or another gender"}
ETHNICITIES: dict[str, str] = {"hispanic": "Hispanic or Latino", "not_hispanic": "Not Hispanic or Latino"}
RACES: dict[str, str] = {
    "american_indian": "American Indian or Alaska Native",
    "asian": "Asian",
    "black": "Black or African American",
    "pacific_islander": "Native Hawaiian or Other Pacific Islander",
    "white": "White",
    "two_or_more": "Two or more races",
    "hispanic": "Hispanic or Latino of any race",
    NOT_STATED: "Not stated",
}
LANGUAGES: dict[str, str] = {
    "en": "English", "es": "Spanish", "am": "Amharic", "ar": "Arabic", "hy": "Armenian", "bn": "Bengali",
    "my": "Burmese", "km": "Khmer (Cambodian)", "ceb": "Cebuano", "yue": "Cantonese", "zh": "Chinese (Mandarin)",
    "cs": "Czech", "nl": "Dutch", "fa": "Farsi (Persian)", "fil": "Filipino (Tagalog)", "fr": "French",
    "de": "German", "el": "Greek", "gu": "Gujarati", "ht": "Haitian Creole", "he": "Hebrew", "hi": "Hindi",
    "hmn": "Hmong", "hu": "Hungarian", "ilo": "Ilocano", "id": "Indonesian", "it": "Italian", "ja": "Japanese",
    "kn": "Kannada", "ko": "Korean", "ku": "Kurdish", "lo": "Lao", "mr": "Marathi", "mien": "Mien (Yao)",
    "mix": "Mixteco", "ne": "Nepali", "om": "Oromo", "ps": "Pashto", "pl": "Polish", "pt": "Portuguese",
    "pa": "Punjabi", "ro": "Romanian", "ru": "Russian", "sm": "Samoan", "sr": "Serbo-Croatian",
    "so": "Somali", "sw": "Swahili", "sv": "Swedish", "ta": "Tamil", "te": "Telugu", "th": "Thai",
    "ti": "Tigrinya", "to": "Tongan", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
    "ase": "American Sign Language", "mis": "Another language", "und": "Not stated",
}  # fmt: skip
STATES: dict[str, str] = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas",
    "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts",
    "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri", "MT": "Montana",
    "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire", "NJ": "New Jersey", "NM": "New Mexico",
    "NY": "New York", "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma",
    "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota",
    "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington",
    "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming", "AS": "American Samoa", "GU": "Guam",
    "MP": "Northern Mariana Islands", "PR": "Puerto Rico", "VI": "U.S. Virgin Islands",
    "AA": "Armed Forces Americas", "AE": "Armed Forces Europe", "AP": "Armed Forces Pacific",
}  # fmt: skip
RELATIONSHIPS: dict[str, str] = {
    "mother": "Mother", "father": "Father", "parent": "Parent", "stepmother": "Stepmother",
    "stepfather": "Stepfather", "guardian": "Guardian", "foster_parent": "Foster parent",
    "grandmother": "Grandmother", "grandfather": "Grandfather", "grandparent": "Grandparent", "aunt": "Aunt",
    "uncle": "Uncle", "sister": "Sister", "brother": "Brother", "sibling": "Sibling", "cousin": "Cousin",
    "other_relative": "Other relative", "family_friend": "Family friend", "neighbor": "Neighbor",
    "caregiver": "Caregiver", "social_worker": "Social worker", "doctor": "Doctor", "agency": "Agency",
    "self": "Self", "other": "Other",
}  # fmt: skip
ALLERGIES: dict[str, str] = {
    "milk": "Milk", "egg": "Egg", "fish": "Fish", "shellfish": "Shellfish", "tree_nuts": "Tree nuts",
    "peanuts": "Peanuts", "wheat": "Wheat", "soy": "Soy", "sesame": "Sesame", "gluten": "Gluten",
    "corn": "Corn", "dye": "Food dye", "bee_sting": "Bee or insect sting", "latex": "Latex",
    "penicillin": "Penicillin", "medication": "Other medication", "pollen": "Pollen or seasonal",
    "other_food": "Other food", "other": "Other",
}  # fmt: skip
