"""Free wordings for the evaluation, written by hand; which pictures and sounds belong together (also told to the towers in training);
and what some recordings of a desktop sound theme are."""

PICTURES = {
    "man's best friend": "dog face", "a pet that purrs": "cat face", "king of the jungle": "lion", "frozen water falling from the sky": "snowflake",
    "it keeps the doctor away": "red apple", "a vehicle that puts out fires": "fire engine", "something to write with": "pencil", "where you sleep at night": "bed",
    "a sweet frozen treat in a cone": "soft ice cream", "it shines at night": "crescent moon", "cutting paper": "scissors", "opening a locked door": "key",
    "telling the time on your wrist": "watch", "a two wheeled vehicle with pedals": "bicycle", "flying machine with rotating blades": "helicopter",
    "romantic flower with thorns": "rose", "a big grey animal with a trunk": "elephant", "slow animal with a shell": "turtle", "it hops and has a pouch": "kangaroo",
    "black and white bear from China": "panda", "Italian food with cheese and tomato": "pizza", "morning drink with caffeine": "hot beverage",
    "keeps you dry in the rain": "umbrella", "celebrating a birthday": "birthday cake", "winner of a competition": "trophy", "music instrument with black and white keys": "musical keyboard",
    "bowed string instrument": "violin", "a brass wind instrument": "trumpet", "looking at the stars": "telescope", "making things look bigger": "magnifying glass tilted left",
    "sending a letter": "envelope", "ghost story": "ghost", "evil pirate bones": "skull and crossbones", "treasure worn on a finger": "ring", "a bug with red wings and black dots": "lady beetle",
    "insect that makes honey": "honeybee", "eight legs and ink": "octopus", "burning hot": "fire", "after the rain, many colours in the sky": "rainbow", "storm with a funnel": "tornado",
}

SOUNDS = {
    "someone blowing a brass horn in a fanfare": ["trumpet", "trombone", "brass section", "french horn", "muted trumpet"],
    "a concert pianist": ["acoustic grand piano", "bright acoustic piano", "electric grand piano"],
    "strumming an acoustic guitar": ["nylon string acoustic guitar", "steel string acoustic guitar"],
    "heavy metal guitar": ["distorted electric guitar", "overdriven electric guitar"],
    "church music": ["church organ", "choir aahs", "church bell"],
    "emergency vehicle passing by": ["police siren", "ambulance siren"],
    "a baby's music toy": ["music box", "celesta", "glockenspiel"],
    "Scottish highlands music": ["bagpipes"],
    "Indian classical string instrument": ["sitar"],
    "a person giving a talk": ["a man speaking", "a woman speaking"],
    "bad weather outside": ["thunder", "rain falling", "wind blowing"],
    "little birds in the morning": ["bird chirping", "bird tweet"],
    "a pet begging at the door": ["dog barking", "cat meowing"],
    "an old arcade machine": ["video game coin", "video game jump", "video game power up", "game over jingle", "laser gun"],
    "a rock band's drummer": ["drum beat"],
}

INSTRUMENTS = {
    "trumpet": ["trumpet", "muted trumpet"], "violin": ["violin", "fiddle", "viola"], "musical keyboard": ["acoustic grand piano", "bright acoustic piano", "electric grand piano", "honky-tonk piano", "electric piano rhodes", "electric piano dx"],
    "guitar": ["nylon string acoustic guitar", "steel string acoustic guitar", "jazz electric guitar", "clean electric guitar", "muted electric guitar", "overdriven electric guitar", "distorted electric guitar"],
    "saxophone": ["soprano saxophone", "alto saxophone", "tenor saxophone", "baritone saxophone"], "accordion": ["accordion", "bandoneon tango accordion"],
    "banjo": ["banjo"], "drum": ["drum beat", "snare drum", "bass drum", "taiko drum", "kick drum", "electric snare drum"], "flute": ["flute", "pan flute", "recorder", "piccolo"],
    "maracas": ["maracas"], "long drum": ["high bongo", "low bongo", "open conga", "low conga", "mute conga", "taiko drum"],
}

TOGETHER = INSTRUMENTS | {
    "dog face": ["dog barking"], "dog": ["dog barking"], "cat face": ["cat meowing"], "cat": ["cat meowing"], "cow face": ["cow mooing"], "cow": ["cow mooing"],
    "rooster": ["rooster crowing"], "frog": ["frog croaking"], "owl": ["owl hooting"], "wolf": ["wolf howling"], "duck": ["duck quacking"], "honeybee": ["bee buzzing"],
    "mosquito": ["mosquito"], "cricket": ["crickets"], "bird": ["bird chirping", "bird tweet"], "ewe": ["sheep bleating"], "ram": ["sheep bleating"],
    "ambulance": ["ambulance siren"], "police car": ["police siren"], "helicopter": ["helicopter flying", "helicopter"], "airplane": ["jet airplane", "propeller airplane"],
    "locomotive": ["steam train", "train horn"], "motorcycle": ["motorcycle"], "racing car": ["race car engine"], "ship": ["ship horn"],
    "telephone": ["phone ringing", "telephone ring"], "telephone receiver": ["phone ringing", "telephone ring"], "alarm clock": ["alarm clock"],
    "fire": ["fire crackling"], "cloud with rain": ["rain falling"], "cloud with lightning": ["thunder"], "water wave": ["ocean waves", "ocean seashore waves"],
    "keyboard": ["typing on a keyboard"], "camera": ["camera shutter"], "clapping hands": ["applause", "hand clapping"], "fireworks": ["fireworks"],
    "bomb": ["explosion"], "speaking head": ["a man speaking", "a woman speaking"], "bell": ["church bell", "small bell ringing", "tinkle bell"],
    "wind face": ["wind blowing"], "wind chime": ["wind chimes"], "hammer": ["hammering"], "carpentry saw": ["sawing wood"], "water pistol": ["gun shots", "gunshot"],
    "beating heart": ["heartbeat"], "anatomical heart": ["heartbeat"], "ghost": ["ghostly moan"], "sleeping face": ["snoring"], "footprints": ["footsteps"],
}

SPOKEN = ["a man speaking", "a woman speaking"]
RECORDED = {  # files of sound-theme-freedesktop whose sound is plain, and the names that are right for them
    "alarm-clock-elapsed": ["alarm clock", "phone ringing", "telephone ring", "electronic beep"], "audio-test-signal": ["pink noise", "white noise", "radio static"],
    "audio-channel-front-center": SPOKEN, "audio-channel-front-left": SPOKEN, "audio-channel-front-right": SPOKEN, "audio-channel-rear-center": SPOKEN,
    "audio-channel-rear-left": SPOKEN, "audio-channel-rear-right": SPOKEN, "audio-channel-side-left": SPOKEN, "audio-channel-side-right": SPOKEN,
    "bell": ["small bell ringing", "bicycle bell", "church bell", "tinkle bell"], "camera-shutter": ["camera shutter"], "screen-capture": ["camera shutter"],
    "phone-incoming-call": ["phone ringing", "telephone ring"], "phone-outgoing-busy": ["busy signal"], "phone-outgoing-calling": ["dial tone", "phone ringing", "busy signal"],
}
