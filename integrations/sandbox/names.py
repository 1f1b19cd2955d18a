"""Word lists of the invented district: names, streets, cities, schools. No real person is meant."""

from __future__ import annotations


def _words(text: str, by: str = " ") -> tuple[str, ...]:
    return tuple(text.split(by))


GIRLS = _words(
    "Ada Alba Alma Amira Anika Anya Aria Aurora Bea Bianca Brisa Camila Carmen Celia Chloe Clara Dalia "
    "Daphne Delia Elena Elif Elise Emi Esme Eva Farah Fatima Flora Freya Gemma Gloria Hana Hazel Ines "
    "Ingrid Iris Isla Ivy Jada Jasmine Josefina Juno Kaia Kiara Lana Leila Lena Lila Linh Lucia Luna "
    "Maeve Mai Maren Marisol Maya Mei Mina Mira Nadia Naomi Nia Nina Noor Nora Olive Paloma Petra Phoebe "
    "Priya Quinn Rosa Ruth Sana Sasha Selah Sofia Stella Talia Tessa Thea Uma Vera Viola Willa Yara Yuki "
    "Zara Zoe"
)
BOYS = _words(
    "Abel Adrian Ahmed Alec Amir Andre Anton Arjun Asher Axel Bao Beckett Benito Bram Caleb Cesar Cyrus "
    "Damian Dante Darius Diego Dmitri Eamon Eli Elio Emeka Enzo Ezra Felix Finn Gael Gideon Hassan Hugo "
    "Ian Idris Isaac Ivan Jalen Jonah Jorge Jude Julian Kai Karim Kenji Kofi Leo Levi Liam Luca Luis "
    "Malik Marco Mateo Micah Milo Minh Nico Nikhil Noah Omar Orion Oscar Otis Owen Pablo Pavel Quentin "
    "Rafael Ravi Reid Remy Rohan Roman Ruben Sami Santiago Silas Soren Tariq Theo Tomas Tuan Uriel Victor "
    "Wade Xavier Yusuf Zane"
)
LAST = _words(
    "Abbas Acosta Adeyemi Aguilar Albright Alvarado Andersen Arroyo Ashford Avila Baptiste Barrera Becker "
    "Bergstrom Blackwood Bonner Brandt Bui Cabrera Calloway Campos Carver Castillo Chang Chavez Cho "
    "Cisneros Colby Cordova Crane Cruz Dalton Dang Delgado Desai Diallo Dominguez Drake Duarte Duong "
    "Eastman Ellison Escobar Espinoza Fairbanks Farrow Fernandes Fischer Fuentes Gallagher Garza Ghosh "
    "Gibbs Goldman Greer Guerrero Gupta Haddad Hale Hanley Hartman Haynes Herrera Hoang Holloway Huang "
    "Ibarra Ibrahim Iyer Jansen Jimenez Kapoor Keane Keller Khan Kim Kowalski Kruger Lam Landry Larsen "
    "Lau Lindgren Lowell Lozano Lund Maddox Malhotra Marin Mbeki McCoy Medina Mendez Mercer Meyer Molina "
    "Montoya Moreau Nakamura Navarro Nguyen Nolan Novak Obrien Ochoa Okafor Olsen Orozco Ortega Osei "
    "Padilla Park Patel Paz Pham Pierce Ponce Qureshi Quintero Rahman Ramos Rao Reyes Rhodes Rios Rivera "
    "Rojas Romero Rosales Rowe Salas Salazar Sandoval Santos Sato Schmidt Serrano Shah Silva Singh Solis "
    "Soto Spencer Stark Suarez Sutton Tanaka Tate Thorne Torres Tran Trejo Underhill Valdez Vang Varga "
    "Vasquez Vega Velasco Villa Voss Wagner Walsh Webb Weiss Whitaker Wolfe Xiong Yang Yates Yoder Zamora "
    "Zapata Zhou Ziegler"
)
STREETS = _words(
    "Alder Almond Aspen Bluff Canal Cedar Chestnut Clover Colony Copper Cottonwood Creekside Dogwood Elm "
    "Fern Foothill Granite Grove Harvest Hawthorn Hickory Juniper Lakeview Laurel Linden Madrone Magnolia "
    "Manzanita Maple Meadow Mesa Mill Mulberry Oak Olive Orchard Palm Peach Pear Pine Poplar Prairie "
    "Quarry Quince Redwood Ridge River Sage Spruce Sycamore Tamarack Valley Vine Walnut Willow Windmill"
)
WAYS = ("St", "Ave", "Rd", "Ct", "Ln", "Dr", "Way", "Pl")
CITIES = (("Cedar Flat", "93601"), ("Almond Grove", "93614"), ("North Fork Junction", "93637"))
SCHOOL_NAMES = _words(
    "Alder Creek|Bluff View|Cedar Flat|Dry Lake|Eagle Point|Foothill|Granite Hills|Harvest Park|"
    "Indian Springs|Juniper Ridge|Kings Canyon|Laurel Canyon|Manzanita|North Fork|Oak Meadow|Pine Flat|"
    "Quail Run|Redwood Grove|Sierra Vista|Tule River|Upper Valley|Vista Grande|Walnut Grove|Yokuts",
    "|",
)

LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh-Aoki-X"
